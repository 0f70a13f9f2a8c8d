-- One row per title that an article has had, in the order in which they were loaded; without a
-- title that was replaced in the same load
-- 中文：文章用过的每个标题一行
-- key: appid, msgid, known_from
-- joins: appid to account; appid, msgid to article_listed
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.article_title (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.publication_date }},
    -- The title
    -- 中文：标题
    title,
    -- When it was loaded; for an article's first title, when the earliest answer that lists the
    -- article was fetched
    -- 中文：从何时起使用该标题
    known_from,
    -- When the next title was loaded; NULL for the current one
    -- 中文：到何时为止使用该标题
    known_until,
    -- Whether it is the current one
    -- 中文：是否为当前标题
    is_current
) AS
SELECT
    article.appid,
    account.name AS account_name,
    article.msgid,
    article.publication_date,
    version.title,
    since.known_from,
    version.replaced_at AS known_until,
    version.history_id IS NULL AS is_current
FROM weixin.dim_article AS article
LEFT JOIN weixin.dim_account AS account
    ON article.appid = account.appid
CROSS JOIN
    LATERAL (
        SELECT
            article.title,
            NULL::timestamptz AS replaced_at,
            NULL::bigint AS history_id
        WHERE article.title IS NOT NULL
        UNION ALL
        SELECT
            history.title,
            history.replaced_at,
            history.history_id
        FROM weixin.dim_article_title_history AS history
        WHERE history.appid = article.appid AND history.msgid = article.msgid
    ) AS version
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(
                (
                    SELECT earlier.replaced_at
                    FROM weixin.dim_article_title_history AS earlier
                    WHERE
                        earlier.appid = article.appid
                        AND earlier.msgid = article.msgid
                        AND (version.history_id IS NULL OR earlier.history_id < version.history_id)
                    ORDER BY earlier.history_id DESC
                    LIMIT 1
                ),
                article.first_seen_at
            ) AS known_from
    ) AS since
WHERE version.history_id IS NULL OR since.known_from < version.replaced_at
