-- One row per account, article, day on which it was read, and scene: where that day's readers came
-- from, whenever the article was published. A scene WeChat left out has no row; the lists are kept
-- as they came, and a value there that is not a number, or larger than a bigint, is NULL
-- 中文：每个公众号、每篇文章、每个被阅读的日子、每个来源一行
-- key: appid, msgid, stat_date, scene
-- joins: appid to account; stat_date to calendar
{% from "analytics/macros.jinja" import came_from %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.article_reading_source (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.reading_publication_date }},
    {{ the.reading_date }},
    {{ the.reading_day_number }},
    -- Where the readers came from: see analytics.scene. A scene that it does not have is WeChat's
    -- own Chinese text
    -- 中文：阅读来源代码
    scene,
    -- What the scene is called: feed is Moments (朋友圈), friends a friend's chat (好友转发)
    -- 中文：阅读来源（英文）
    scene_name,
    -- What the scene is called in Chinese
    -- 中文：阅读来源
    scene_chinese_name,
    -- People who read it from there that day: who reads it on two days is counted on both
    -- 中文：当日来源阅读人数
    -- unit: people, level
    read_user,
    -- Share of the sum of people over the scenes of the row's article and day. The sum may exceed
    -- the article's readers, as one reader can come from two places
    -- 中文：来源人数占比
    -- unit: share, level
    read_user_share
) AS
SELECT
    account.appid,
    account.name AS account_name,
    fact.msgid,
    article.publication_date,
    fact.stat_date,
    fact.stat_date - article.publication_date + 1 AS day_number,
    came_from.scene,
    coalesce(named.scene_name, came_from.scene) AS scene_name,
    coalesce(named.scene_chinese_name, came_from.scene) AS scene_chinese_name,
    came_from.read_user,
    came_from.read_user / nullif(came_from.of_all, 0) AS read_user_share
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_article_read AS fact
    ON account.appid = fact.appid
CROSS JOIN
    LATERAL (
        {{ came_from("fact.read_user_source", scenes) }}
    ) AS came_from
LEFT JOIN weixin.dim_article AS article
    ON fact.appid = article.appid AND fact.msgid = article.msgid
LEFT JOIN analytics.scene AS named
    ON came_from.scene = named.scene
