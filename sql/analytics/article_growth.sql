-- One row per dataset, article and metric that is not part of another, once it is known: how fast
-- the total grew.
-- article_day has the totals of the other metrics (readers from one place, …) and of other days,
-- by day_number
-- 中文：每个接口、每篇文章、每个指标一行：累计值的增长速度
-- key: dataset, appid, msgid, metric
-- joins: appid to account; appid, msgid to article_listed; dataset, metric to metric
{% from "analytics/macros.jinja" import growth_days, is_final, original_title %}
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
    newest.appid,
    account.name AS account_name,
    newest.msgid,
    article.title,
    article.position,
    newest.publication_date,
    metric.name AS metric,
    {% for day in growth_days %}
    metric.day_{{ day }},
    {% endfor %}
    metric.latest,
    {% for day in growth_days %}
    CASE
        WHEN {{ is_final(dataset, "newest") }}
            THEN metric.day_{{ day }}::numeric / nullif(metric.latest, 0)
    END AS day_{{ day }}_share,
    {% endfor %}
    {{ is_final(dataset, "newest") }} AS is_final,
    {{ original_title("article") }} AS original_title
FROM weixin.{{ dataset.fact }} AS newest
{% for day in growth_days %}
LEFT JOIN weixin.{{ dataset.fact }} AS day_{{ day }}
    ON
        newest.appid = day_{{ day }}.appid
        AND newest.msgid = day_{{ day }}.msgid
        AND newest.publication_date + {{ day - 1 }} = day_{{ day }}.stat_date
{% endfor %}
CROSS JOIN
    LATERAL (
        VALUES
        {% for metric in dataset.totals if not metric.whole %}
        (
            '{{ metric.name }}',
            {% for day in growth_days %}
            day_{{ day }}.{{ metric.name }},
            {% endfor %}
            coalesce(
                newest.{{ metric.name }},
                (
                    SELECT known.{{ metric.name }}
                    FROM weixin.{{ dataset.fact }} AS known
                    WHERE
                        known.appid = newest.appid
                        AND known.msgid = newest.msgid
                        AND known.{{ metric.name }} IS NOT NULL
                    ORDER BY known.stat_date DESC
                    LIMIT 1
                )
            )
        ){{ "," if not loop.last }}
        {% endfor %}
    ) AS metric (
        name,
        {% for day in growth_days %}
        day_{{ day }},
        {% endfor %}
        latest
    )
-- left joins by keys, so that what is not asked for is left out
LEFT JOIN weixin.dim_article AS article
    ON newest.appid = article.appid AND newest.msgid = article.msgid
LEFT JOIN weixin.dim_account AS account
    ON newest.appid = account.appid
LEFT JOIN weixin.coverage AS pair
    ON
        newest.appid = pair.appid
        AND newest.publication_date = pair.day
        AND pair.dataset = '{{ dataset.name }}'
WHERE
    metric.latest IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM weixin.{{ dataset.fact }} AS later
        WHERE
            later.appid = newest.appid
            AND later.msgid = newest.msgid
            AND later.stat_date > newest.stat_date
    )
{% if not loop.last %}
UNION ALL
{% endif %}
{% endfor %}
