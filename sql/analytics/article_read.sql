-- One row per account, article and day on which the article was read or shared, however old the
-- article is. Figures are of that day alone, no running totals. An article that was published
-- before the collected publication days has neither title nor publication day here
-- 中文：每个公众号、每篇文章、每个被阅读或分享的日子一行，不限文章发布多久
-- key: appid, msgid, stat_date
-- joins: appid to account; stat_date to calendar
{% from "weixin/macros.jinja" import is_conclusive, is_fully_loaded %}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.article_read (
    {{ shared.columns("appid account_name msgid title publication_date reading_date day_number") }},
    -- People who read the article that day. A person who reads it on two days is counted on both.
    -- NULL when WeChat gave no readers for the day
    -- 中文：当日阅读人数
    -- unit: people, level
    readers,
    -- People who shared the article that day; 0 when a whole answer of article_share for the day
    -- does not list the article. NULL when that day's answer is missing, may still be filled, or
    -- had a part rejected that may be the article's
    -- 中文：当日分享人数
    -- unit: people, level
    sharers,
    -- Whether the day's readers are complete: the answer of article_read was ready, no part of it
    -- was rejected, and it has readers for the article if it lists the article
    -- 中文：当日阅读数据是否完整
    is_complete
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    day.msgid,
    article.title,
    article.publication_date,
    day.stat_date,
    day.stat_date - article.publication_date + 1 AS day_number,
    day.readers,
    CASE
        WHEN
            NOT day.is_shared
            AND {{ is_conclusive("share_coverage") }}
            AND {{ is_fully_loaded("share_coverage", "day.msgid") }}
            THEN 0
        ELSE day.sharers
    END AS sharers,
    {{ is_fully_loaded("read_coverage") }} AND (day.readers IS NOT NULL OR NOT day.is_read)
        AS is_complete
FROM weixin.dim_account AS account
INNER JOIN (
    SELECT
        appid,
        msgid,
        stat_date,
        max(readers) AS readers,
        max(sharers) AS sharers,
        bool_or(is_shared) AS is_shared,
        NOT bool_and(is_shared) AS is_read
    FROM (
        SELECT
            appid,
            msgid,
            stat_date,
            read_user AS readers,
            NULL::bigint AS sharers,
            FALSE AS is_shared
        FROM weixin.fact_article_read
        UNION ALL
        SELECT
            appid,
            msgid,
            stat_date,
            NULL AS readers,
            share_user AS sharers,
            TRUE AS is_shared
        FROM weixin.fact_article_share
    ) AS figure
    GROUP BY appid, msgid, stat_date
) AS day
    ON account.appid = day.appid
LEFT JOIN weixin.dim_article AS article
    ON day.appid = article.appid AND day.msgid = article.msgid
{% for action in ["read", "share"] %}
LEFT JOIN weixin.coverage AS {{ action }}_coverage
    ON
        {{ action }}_coverage.dataset = 'article_{{ action }}'
        AND day.appid = {{ action }}_coverage.appid
        AND day.stat_date = {{ action }}_coverage.day
{% endfor %}
