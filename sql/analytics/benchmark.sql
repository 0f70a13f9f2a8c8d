{# for each: datasets #}
-- One row per account, position in the message and day after publication: how many readers are
-- usual by the end of that day, by {{ dataset.endpoint }}. The articles are those of the 90 days up
-- to the newest article that have the most days; one that was published without notifying followers
-- (is_notified is false) is left out. All days compare the same articles, so a later day is never
-- lower because an article lacks that day
-- 中文：每个公众号、每个位置、发布后每一天一行：常见阅读人数
-- key: appid, position, day_number
-- joins: appid to account
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.benchmark{{ dataset.suffix }} (
    {{ shared.columns("appid account_name position day_number") }},
    -- Articles whose readers are compared
    -- 中文：文章数
    -- unit: articles, level
    article_count,
    -- A quarter of the articles had at most this many readers by the end of that day
    -- 中文：阅读人数下四分位
    -- unit: people, level
    lower_quartile,
    -- Half of the articles had at most this many readers by the end of that day
    -- 中文：阅读人数中位数
    -- unit: people, level
    median,
    -- Three quarters of the articles had at most this many readers by the end of that day
    -- 中文：阅读人数上四分位
    -- unit: people, level
    upper_quartile
) AS
-- Grouping by the account's name too lets a filter on the name reach the fact.
SELECT
    compared.appid,
    compared.account_name,
    compared.position,
    compared.day_number,
    count(*) AS article_count,
    percentile_cont(0.25) WITHIN GROUP (ORDER BY compared.readers) AS lower_quartile,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY compared.readers) AS median,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY compared.readers) AS upper_quartile
FROM (
    SELECT
        article_day.*,
        max(article_day.day_count)
            OVER (PARTITION BY article_day.appid, article_day.account_name, article_day.position)
            AS most_days
    FROM (
        SELECT
            account.appid,
            account.unique_name AS account_name,
            article.position,
            fact.stat_date - fact.publication_date + 1 AS day_number,
            fact.{{ dataset.readers }} AS readers,
            count(*) OVER (PARTITION BY account.appid, account.unique_name, fact.msgid) AS day_count
        FROM weixin.dim_account AS account
        INNER JOIN (
            SELECT
                appid,
                max(publication_date) AS publication_date
            FROM weixin.{{ dataset.fact }}
            GROUP BY appid
        ) AS newest_article
            ON account.appid = newest_article.appid
        INNER JOIN weixin.{{ dataset.fact }} AS fact
            ON
                account.appid = fact.appid
                AND newest_article.publication_date - 90 < fact.publication_date
        INNER JOIN weixin.dim_article AS article
            ON fact.appid = article.appid AND fact.msgid = article.msgid
        WHERE
            fact.stat_date
            BETWEEN fact.publication_date AND fact.publication_date + {{ dataset.window - 1 }}
            AND fact.{{ dataset.readers }} IS NOT NULL
            AND article.publish_type IS DISTINCT FROM 1
    ) AS article_day
) AS compared
WHERE compared.day_count = compared.most_days
GROUP BY compared.appid, compared.account_name, compared.position, compared.day_number
