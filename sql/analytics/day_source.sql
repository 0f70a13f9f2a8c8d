-- One row per account, article, day and scene: where those came from who read the article on the
-- day, whenever it was published. A scene WeChat left out has no row; a value in WeChat's lists
-- that is no number, or larger than a bigint, is NULL
-- 中文：每个公众号、每篇文章、每个统计日、每个来源一行：当日阅读来源
-- key: appid, msgid, stat_date, scene
-- joins: appid to account; stat_date to calendar
{% from "analytics/scenes.jinja" import columns, from_list, named with context %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.day_source (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.publication_date }},
    {{ the.reading_date }},
    {{ the.day_number }},
    {{ columns() }},
    -- People who read it from there that day: no running total, who comes on two days is counted on
    -- both
    -- 中文：当日来源阅读人数
    -- unit: people, level
    readers,
    -- Share of the sum of people over the scenes of the row's article and day. The sum may exceed
    -- the day's readers, as one reader can come from two places
    -- 中文：来源人数占比
    -- unit: share, level
    readers_share
) AS
SELECT
    account.appid,
    account.name AS account_name,
    fact.msgid,
    article.publication_date,
    fact.stat_date,
    fact.stat_date - article.publication_date + 1 AS day_number,
    {{ named("came_from") }},
    came_from.readers,
    came_from.readers / nullif(came_from.of_all, 0) AS readers_share
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_article_read AS fact
    ON account.appid = fact.appid
CROSS JOIN
    LATERAL (
        {{ from_list("fact.read_user_source") }}
    ) AS came_from
LEFT JOIN weixin.dim_article AS article
    ON fact.appid = article.appid AND fact.msgid = article.msgid
