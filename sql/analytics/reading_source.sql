{# for each: every_dataset | selectattr("scene_view") #}
{# Where the readers of statistics days came from, for each dataset whose answers say so. #}
{% set readers = dataset.metrics | selectattr("name", "equalto", dataset.readers) | first %}
{% set is_of_article = "msgid" in dataset.key %}
-- One row per account,{{ " article," if is_of_article }} day and scene: where the
-- {{ readers.meaning }} came from. A scene WeChat left out has no row; the lists are kept as they
-- came, and a value there that is not a number, or larger than a bigint, is NULL
-- 中文：每个公众号、{{ "每篇文章、" if is_of_article }}每个统计日、每个来源一行
-- key: {{ dataset.key | join(", ") }}, scene
-- joins: appid to account; stat_date to calendar
{% from "analytics/macros.jinja" import came_from, sentence %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.{{ dataset.scene_view }} (
    {{ the.appid }},
    {{ the.account_name }},
    {% if is_of_article %}
    {{ the.msgid }},
    {{ the.reading_publication_date }},
    {% endif %}
    -- The day (Beijing), as it was asked for
    -- 中文：统计日期（北京时间）
    stat_date,
    {% if is_of_article %}
    {{ the.reading_day_number }},
    {% endif %}
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
    -- {{ sentence(readers.meaning) }}, from there. {{ readers.caveat }}
    -- 中文：当日来源阅读人数
    -- unit: people, level
    read_user,
    -- Share of the sum of people over all scenes. The sum may exceed the readers, as one
    -- reader can come from two places
    -- 中文：来源人数占比
    -- unit: share, level
    read_user_share
) AS
SELECT
    account.appid,
    account.name AS account_name,
    {% if is_of_article %}
    fact.msgid,
    article.publication_date,
    {% endif %}
    fact.stat_date,
    {% if is_of_article %}
    fact.stat_date - article.publication_date + 1 AS day_number,
    {% endif %}
    came_from.scene,
    coalesce(named.scene_name, came_from.scene) AS scene_name,
    coalesce(named.scene_chinese_name, came_from.scene) AS scene_chinese_name,
    came_from.read_user,
    came_from.read_user / nullif(came_from.of_all, 0) AS read_user_share
FROM weixin.dim_account AS account
INNER JOIN weixin.{{ fact }} AS fact
    ON account.appid = fact.appid
CROSS JOIN
    LATERAL (
        {{ came_from("fact." ~ dataset.lists[0].name) }}
    ) AS came_from
{% if is_of_article %}
LEFT JOIN weixin.dim_article AS article
    ON fact.appid = article.appid AND fact.msgid = article.msgid
{% endif %}
LEFT JOIN analytics.scene AS named
    ON came_from.scene = named.scene
