{# for each: datasets #}
-- One row per article, stat_date of {{ dataset.endpoint }} and scene: from which scenes readers
-- came until the end of the day. A scene that WeChat left out has no row; a value in a list that is
-- no number, or larger than a bigint, is NULL
-- 中文：每篇文章、每个统计日、每个来源一行：累计阅读人数
-- key: appid, msgid, stat_date, scene
-- joins: appid to account; appid, msgid to article{{ dataset.suffix }}; stat_date to calendar
{%
    from "analytics/scenes.jinja" import
    scene_columns, scene_values, scenes, scenes_of_list with context
%}
{% from "analytics/macros.jinja" import is_latest %}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.article_source{{ dataset.suffix }} (
    {{ shared.columns("appid account_name msgid publication_date stat_date day_number") }},
    -- Whether stat_date is the article's newest day: such rows may be added up over articles
    -- 中文：是否为该文章最新一天
    is_latest,
    {{ scene_columns() }},
    -- People who read the article from this scene, from publication to the end of stat_date
    -- 中文：来源阅读人数（自发布起累计）
    -- unit: people, cumulative
    readers,
    -- Reads from this scene, from publication to the end of stat_date; NULL where the endpoint does
    -- not count reads
    -- 中文：来源阅读次数（自发布起累计）
    -- unit: times, cumulative
    reads,
    -- Share of the sum of people over the scenes of the row's article and day. The sum may exceed
    -- the article's readers, because one reader can come from two places, or fall short of them,
    -- because WeChat leaves places out
    -- 中文：来源人数占比
    -- unit: share, level
    readers_share
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    fact.msgid,
    fact.publication_date,
    fact.stat_date,
    fact.stat_date - fact.publication_date + 1 AS day_number,
    {{ is_latest(dataset.fact) | indent(4) }} AS is_latest,
    {{ scene_values("source") }},
    source.readers,
    source.reads,
    source.readers / nullif(source.all_readers, 0) AS readers_share
FROM weixin.dim_account AS account
INNER JOIN weixin.{{ dataset.fact }} AS fact
    ON account.appid = fact.appid
CROSS JOIN
    LATERAL (
        {% if dataset.lists %}
        {{ scenes_of_list("fact." ~ dataset.lists[0].name) }}
        {% else %}
        SELECT
            scene,
            readers,
            reads,
            sum(readers) OVER () AS all_readers
        FROM (
            VALUES
            {% for scene in scenes %}
            (
                '{{ scene.code }}',
                fact.int_page_from_{{ scene.part }}_read_user,
                fact.int_page_from_{{ scene.part }}_read_count
            ){{ "," if not loop.last }}
            {% endfor %}
        ) AS figure (scene, readers, reads)
        WHERE readers IS NOT NULL OR reads IS NOT NULL
        {% endif %}
    ) AS source
