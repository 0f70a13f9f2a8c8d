{# for each: datasets #}
-- One row per account, position in the message and day after publication: how many readers are
-- usual by the end of that day, by {{ dataset.endpoint }}, over the articles of the 90 days up to
-- the newest one. Each day is over the same articles, those that have the most days: so a later
-- day's figure is not below an earlier one's because an article lacks it
-- 中文：每个公众号、每个位置、发布后每一天一行：常见阅读人数
-- key: appid, position, day_number
-- joins: appid to account
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.benchmark{{ dataset.suffix }} (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.position }},
    {{ the.day_number }},
    -- Articles whose readers are compared
    -- 中文：文章数
    -- unit: articles, level
    article_count,
    -- A quarter of them had at most this many readers from publication to the end of that day
    -- 中文：阅读人数下四分位
    -- unit: people, level
    lower_quartile,
    -- Half of them had at most this many readers from publication to the end of that day
    -- 中文：阅读人数中位数
    -- unit: people, level
    median,
    -- Three quarters of them had at most this many readers from publication to the end of that day
    -- 中文：阅读人数上四分位
    -- unit: people, level
    upper_quartile
) AS
-- the account's name is among what is grouped by, so that a filter on it reaches the fact
SELECT
    longest.appid,
    longest.account_name,
    longest.position,
    longest.day_number,
    count(*) AS article_count,
    percentile_cont(0.25) WITHIN GROUP (ORDER BY longest.readers) AS lower_quartile,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY longest.readers) AS median,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY longest.readers) AS upper_quartile
FROM (
    SELECT
        figure.*,
        max(figure.day_count)
            OVER (PARTITION BY figure.appid, figure.account_name, figure.position)
            AS most_days
    FROM (
        SELECT
            account.appid,
            account.name AS account_name,
            article.position,
            fact.stat_date - fact.publication_date + 1 AS day_number,
            fact.{{ dataset.readers }} AS readers,
            count(*) OVER (PARTITION BY account.appid, account.name, fact.msgid) AS day_count
        FROM weixin.dim_account AS account
        INNER JOIN (
            SELECT
                its.appid,
                max(its.publication_date) AS publication_date
            FROM weixin.{{ dataset.fact }} AS its
            GROUP BY its.appid
        ) AS newest
            ON account.appid = newest.appid
        INNER JOIN weixin.{{ dataset.fact }} AS fact
            ON
                account.appid = fact.appid
                AND newest.publication_date - 90 < fact.publication_date
        INNER JOIN weixin.dim_article AS article
            ON fact.appid = article.appid AND fact.msgid = article.msgid
        WHERE
            fact.stat_date
            BETWEEN fact.publication_date AND fact.publication_date + {{ dataset.window - 1 }}
            AND fact.{{ dataset.readers }} IS NOT NULL
    ) AS figure
) AS longest
WHERE longest.day_count = longest.most_days
GROUP BY longest.appid, longest.account_name, longest.position, longest.day_number
