-- One row per dataset, article, stat_date and scene: where readers came from. A scene WeChat left
-- out has no row; the lists of article_total_detail are kept as they came, and a value there that
-- is not a number, or larger than a bigint, is NULL
-- 中文：每个接口、每篇文章、每个统计日、每个来源一行
-- key: dataset, appid, msgid, stat_date, scene
-- joins: appid to account; appid, msgid to article_listed; stat_date to calendar
{% from "analytics/macros.jinja" import came_from, scenes %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.article_source (
    {{ the.dataset }},
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.publication_date }},
    {{ the.stat_date }},
    {{ the.day_number }},
    -- Where readers came from, by the same code for both endpoints: see analytics.scene. A scene of
    -- article_total_detail that article_total does not have is WeChat's own Chinese text
    -- 中文：阅读来源代码
    scene,
    -- What the scene is called: feed is Moments (朋友圈), friends a friend's chat (好友转发)
    -- 中文：阅读来源（英文）
    scene_name,
    -- What the scene is called in Chinese
    -- 中文：阅读来源
    scene_chinese_name,
    -- People who read it from there, from publication to the end of stat_date
    -- 中文：来源阅读人数（自发布起累计）
    -- unit: people, cumulative
    read_user,
    -- Reads from there, from publication to the end of stat_date; article_total only
    -- 中文：来源阅读次数（自发布起累计）
    -- unit: times, cumulative
    read_count,
    -- Share of the sum of people over the scenes of the row's article and day. The sum may exceed
    -- the article's readers, as one reader can come from two places
    -- 中文：来源人数占比
    -- unit: share, level
    read_user_share
) AS
SELECT
    'article_total' AS dataset,
    account.appid,
    account.name AS account_name,
    fact.msgid,
    fact.publication_date,
    fact.stat_date,
    fact.stat_date - fact.publication_date + 1 AS day_number,
    came_from.scene,
    coalesce(named.scene_name, came_from.scene) AS scene_name,
    coalesce(named.scene_chinese_name, came_from.scene) AS scene_chinese_name,
    came_from.read_user,
    came_from.read_count,
    came_from.read_user / nullif(came_from.of_all, 0) AS read_user_share
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_article_total AS fact
    ON account.appid = fact.appid
CROSS JOIN
    LATERAL (
        SELECT
            scene,
            read_user,
            read_count,
            sum(read_user) OVER () AS of_all
        FROM (
            VALUES
            {% for scene in scenes %}
            (
                '{{ scene.code }}',
                fact.int_page_from_{{ scene.part }}_read_user,
                fact.int_page_from_{{ scene.part }}_read_count
            ){{ "," if not loop.last }}
            {% endfor %}
        ) AS given (scene, read_user, read_count)
        WHERE read_user IS NOT NULL OR read_count IS NOT NULL
    ) AS came_from
LEFT JOIN analytics.scene AS named
    ON came_from.scene = named.scene
UNION ALL
SELECT
    'article_total_detail' AS dataset,
    account.appid,
    account.name AS account_name,
    fact.msgid,
    fact.publication_date,
    fact.stat_date,
    fact.stat_date - fact.publication_date + 1 AS day_number,
    came_from.scene,
    coalesce(named.scene_name, came_from.scene) AS scene_name,
    coalesce(named.scene_chinese_name, came_from.scene) AS scene_chinese_name,
    came_from.read_user,
    NULL::bigint AS read_count,
    came_from.read_user / nullif(came_from.of_all, 0) AS read_user_share
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_article_total_detail AS fact
    ON account.appid = fact.appid
CROSS JOIN
    LATERAL (
        {{ came_from("fact.read_user_source") }}
    ) AS came_from
LEFT JOIN analytics.scene AS named
    ON came_from.scene = named.scene
