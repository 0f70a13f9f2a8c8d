-- Half a million rows of the fact, of one account, and all that belongs to them: a hundred articles
-- a day, of which three rows each were replaced.
CREATE TEMP TABLE article AS
SELECT
    number AS raw_response_id,
    'wx1' AS appid,
    number || '_1' AS msgid,
    date '2024-01-01' + number / 100 AS day
FROM generate_series(0, 71999) AS number;
INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
VALUES ('wx1', '', '', now()), ('wx2', '', '', now());
INSERT INTO weixin.fact_article_total (appid, msgid, stat_date, publication_date,
    raw_response_id, fetched_at, changed_at, :metrics)
SELECT appid, msgid, day + age, day, 1, now(), date '2026-02-14' + age,
    :ages
FROM article CROSS JOIN generate_series(0, 6) AS age;
INSERT INTO weixin.fact_history (dataset, appid, item, stat_date, changed_at, replaced_at,
    cause, row)
SELECT 'article_total', appid, msgid, stat_date, date '2026-01-01', changed_at, 'wechat',
    jsonb_build_object('share_user', 1)
FROM weixin.fact_article_total AS fact
WHERE stat_date - publication_date < 3
ORDER BY changed_at;
INSERT INTO weixin.dim_article (appid, msgid, message_id, position, publication_date,
    first_seen_at, unlisted_since)
SELECT appid, msgid, msgid, 1, day, now(), '{"article_total": null}' FROM article;
INSERT INTO weixin.dim_article_title_history (appid, msgid, title, replaced_at)
SELECT appid, msgid, msgid, now() FROM article;
INSERT INTO weixin.raw_response (dataset, appid, day, body, body_sha256, fetched_at,
    last_seen_at)
SELECT 'article_total', appid, day, '', sha256(msgid::bytea), '2024-01-01', '2024-01-01'
FROM article;
INSERT INTO weixin.rejected_row (dataset, appid, day, msgid, code, reason, payload,
    raw_response_id, rejected_at)
SELECT 'article_total', appid, day, msgid, '', '', '', raw_response_id, now() FROM article;
INSERT INTO weixin.coverage (dataset, appid, day, ready_at, list_sha256, article_count,
    attempted_at, fetched_at)
SELECT 'article_total', account, day, '2024-01-01', '', 1, now(), '2024-01-01'
FROM (SELECT DISTINCT day FROM article) AS publication CROSS JOIN (
    SELECT 'wx1' UNION ALL SELECT 'other' || number FROM generate_series(1, 20) AS number
) AS accounts (account);
