-- One row per account, article, day and scene: from which scenes people opened the article on that
-- day, however old the article is. A scene that WeChat left out has no row; a value in WeChat's
-- lists that is no number, or larger than a bigint, is NULL
-- 中文：每个公众号、每篇文章、每个统计日、每个来源一行：当日阅读来源
-- key: appid, msgid, stat_date, scene
-- joins: appid to account; stat_date to calendar
{% from "analytics/scenes.jinja" import scene_columns, scene_values, scenes_of_list with context %}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.day_source (
    {{ shared.columns("appid account_name msgid publication_date reading_date day_number") }},
    {{ scene_columns() }},
    -- People who read the article from this scene that day: no running total. A person who reads on
    -- two days is counted on both
    -- 中文：当日来源阅读人数
    -- unit: people, level
    readers,
    -- Share of the sum of people over the scenes of the row's article and day. The sum may exceed
    -- the day's readers, because one reader can come from two places
    -- 中文：来源人数占比
    -- unit: share, level
    readers_share
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    fact.msgid,
    article.publication_date,
    fact.stat_date,
    fact.stat_date - article.publication_date + 1 AS day_number,
    {{ scene_values("source") }},
    source.readers,
    source.readers / nullif(source.all_readers, 0) AS readers_share
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_article_read AS fact
    ON account.appid = fact.appid
CROSS JOIN
    LATERAL (
        {{ scenes_of_list("fact.read_user_source") }}
    ) AS source
LEFT JOIN weixin.dim_article AS article
    ON fact.appid = article.appid AND fact.msgid = article.msgid
