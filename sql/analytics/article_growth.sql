-- One row per dataset, article and metric that is not part of another, once it is known: how fast
-- the total grew.
-- article_day has the totals of the other metrics (readers from one place, …) and of other days,
-- by day_number
-- 中文：每个接口、每篇文章、每个指标一行：累计值的增长速度
-- key: dataset, appid, msgid, metric
{% from "analytics/macros.jinja" import original_title %}
{% import "analytics/columns.jinja" as the %}
{#- What a row has of the metric. -#}
{% macro value(dataset, row) -%}
CASE metric.name
    {% for metric in dataset.wholes %}
    WHEN '{{ metric.name }}' THEN {{ row }}.{{ metric.name }}
    {% endfor %}
END
{%- endmacro %}
CREATE VIEW analytics.article_growth (
    {{ the.dataset }},
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.title }},
    {{ the.position }},
    {{ the.publication_date }},
    {{ the.metric }},
    {% for day in [1, 3, 7, 30] %}
    -- Total from publication to the end of day {{ day }}, the publication day being 1; NULL without
    -- a row of that day (WeChat gives none after 7 days of article_total), or where it left the
    -- figure out
    -- 中文：第 {{ day }} 天累计值
    -- unit: of the metric, cumulative
    day_{{ day }},
    {% endfor %}
    -- Total from publication to the last day that has the figure
    -- 中文：最新累计值
    -- unit: of the metric, cumulative
    latest,
    {% for day in [1, 3, 7, 30] %}
    -- Share of the final total reached by the end of day {{ day }}; NULL until the total is final,
    -- or when it is 0
    -- 中文：第 {{ day }} 天达到最终累计值的比例
    -- unit: share, level
    day_{{ day }}_share,
    {% endfor %}
    -- Whether latest is the final total: the article has all rows of its window, or its
    -- publication day is final and is not asked for again
    -- 中文：累计值是否已定稿
    is_final,
    {{ the.original_title }}
) AS
{% for dataset in datasets %}
SELECT
    '{{ dataset.name }}' AS dataset,
    sighting.appid,
    account.name AS account_name,
    sighting.msgid,
    article.title,
    article.position,
    article.publication_date,
    metric.name AS metric,
    {% for day in [1, 3, 7, 30] %}
    reached.day_{{ day }},
    {% endfor %}
    reached.latest,
    {% for day in [1, 3, 7, 30] %}
    CASE WHEN reached.is_final THEN reached.day_{{ day }}::numeric / nullif(reached.latest, 0) END
        AS day_{{ day }}_share,
    {% endfor %}
    reached.is_final,
    {{ original_title("article") }} AS original_title
-- the articles that the endpoint told of; left joins, as what is not asked for is left out
FROM weixin.article_sighting AS sighting
LEFT JOIN weixin.dim_article AS article
    ON sighting.appid = article.appid AND sighting.msgid = article.msgid
LEFT JOIN weixin.dim_account AS account
    ON sighting.appid = account.appid
LEFT JOIN weixin.latest_{{ dataset.name }} AS latest
    ON sighting.appid = latest.appid AND sighting.msgid = latest.msgid
LEFT JOIN weixin.coverage AS pair
    ON
        latest.appid = pair.appid
        AND latest.publication_date = pair.publication_date
        AND pair.dataset = '{{ dataset.name }}'
CROSS JOIN
    (
        VALUES
        {% for metric in dataset.wholes %}
        ('{{ metric.name }}'){{ "," if not loop.last }}
        {% endfor %}
    ) AS metric (name)
-- only the days that are asked for are looked up, each once
CROSS JOIN
    LATERAL (
        SELECT
            {% for day in [1, 3, 7, 30] %}
            (
                SELECT {{ value(dataset, "fact") | indent(16) }}
                FROM weixin.{{ dataset.fact }} AS fact
                WHERE
                    fact.appid = sighting.appid
                    AND fact.msgid = sighting.msgid
                    AND fact.stat_date = latest.publication_date + {{ day - 1 }}
            ) AS day_{{ day }},
            {% endfor %}
            {{ value(dataset, "latest") | indent(12) }} AS latest,
            coalesce(latest.has_all_rows, FALSE) OR coalesce(pair.is_final, FALSE) AS is_final
        FROM (VALUES (TRUE)) AS once (is_looked_up)
        OFFSET 0
    ) AS reached
WHERE sighting.dataset = '{{ dataset.name }}' AND reached.latest IS NOT NULL
{% if not loop.last %}
UNION ALL
{% endif %}
{% endfor %}
