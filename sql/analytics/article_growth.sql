-- One row per dataset, article and metric that is not part of another, once it is known: how fast
-- the total grew.
-- article_day has the totals of the other metrics (readers from one place, …) and of other days,
-- by day_number
-- 中文：每个接口、每篇文章、每个指标一行：累计值的增长速度
-- key: dataset, appid, msgid, metric
-- joins: appid to account; appid, msgid to article_listed; dataset, metric to metric
{% from "analytics/macros.jinja" import growth_days, is_final, latest_total, original_title %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.article_growth (
    {{ the.dataset }},
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.title }},
    {{ the.position }},
    {{ the.publication_date }},
    {{ the.metric }},
    {% for day in growth_days %}
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
    {% for day in growth_days %}
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
    latest.appid,
    account.name AS account_name,
    latest.msgid,
    article.title,
    article.position,
    latest.publication_date,
    metric.name AS metric,
    {% for day in growth_days %}
    latest.day_{{ day }}[metric.place] AS day_{{ day }},
    {% endfor %}
    {{ latest_total(dataset) | indent }} AS latest,
    {% for day in growth_days %}
    CASE
        WHEN {{ is_final(dataset) }}
            THEN
                latest.day_{{ day }}[metric.place]::numeric
                / nullif({{ latest_total(dataset) | indent(16) }}, 0)
    END AS day_{{ day }}_share,
    {% endfor %}
    {{ is_final(dataset) }} AS is_final,
    {{ original_title("article") }} AS original_title
FROM weixin.latest_{{ dataset.name }} AS latest
-- a metric's place in the arrays of the days
CROSS JOIN
    (
        VALUES
        {% for metric in dataset.wholes %}
        ('{{ metric.name }}', {{ loop.index }}){{ "," if not loop.last }}
        {% endfor %}
    ) AS metric (name, place)
-- left joins by keys, so that what is not asked for is left out
LEFT JOIN weixin.dim_article AS article
    ON latest.appid = article.appid AND latest.msgid = article.msgid
LEFT JOIN weixin.dim_account AS account
    ON latest.appid = account.appid
LEFT JOIN weixin.coverage AS pair
    ON
        latest.appid = pair.appid
        AND latest.publication_date = pair.publication_date
        AND pair.dataset = '{{ dataset.name }}'
WHERE {{ latest_total(dataset) }} IS NOT NULL
{% if not loop.last %}
UNION ALL
{% endif %}
{% endfor %}
