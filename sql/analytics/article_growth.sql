-- One row per dataset, article and metric: how fast the total grew
{% from "analytics/macros.jinja" import last_known %}
CREATE VIEW analytics.article_growth (
    -- Which endpoint the figures come from
    dataset,
    -- The account
    appid,
    -- The article, see analytics.article
    msgid,
    -- Day of publication (Beijing)
    publication_date,
    -- Name of the metric, see analytics.metric
    metric,
    {% for day in [1, 3, 7, 30] %}
    -- Total at the end of day {{ day }}, the publication day being day 1; NULL without a row of
    -- that day, or where it left the figure out
    day_{{ day }},
    {% endfor %}
    -- Latest known total
    latest,
    -- Whether latest is the final total: the article has all rows of its window, or its
    -- publication day is final and is not asked for again
    is_final,
    {% for day in [1, 3, 7, 30] %}
    -- Share of the final total reached by the end of day {{ day }}; NULL until the total is final,
    -- or when it is 0
    day_{{ day }}_share{{ "," if not loop.last }}
    {% endfor %}
) AS
WITH total AS (
    {% for dataset in datasets %}
    SELECT
        '{{ dataset.name }}' AS dataset,
        {{ dataset.window }} AS days,
        fact.appid,
        fact.msgid,
        fact.publication_date,
        fact.stat_date,
        total.metric,
        total.value
    FROM weixin.{{ dataset.fact }} AS fact
    CROSS JOIN
        LATERAL (
            VALUES
            {% for metric in dataset.totals %}
            ('{{ metric.name }}', fact.{{ metric.name }}){{ "," if not loop.last }}
            {% endfor %}
        ) AS total (metric, value)
    {% if not loop.last %}
    UNION ALL
    {% endif %}
    {% endfor %}
),

reached AS (
    SELECT
        dataset,
        appid,
        msgid,
        publication_date,
        metric,
        {% for day in [1, 3, 7, 30] %}
        max(value) FILTER (WHERE stat_date = publication_date + {{ day - 1 }}) AS day_{{ day }},
        {% endfor %}
        {{ last_known("value") }} AS latest,
        count(*) FILTER (
            WHERE stat_date BETWEEN publication_date AND publication_date + days - 1
        ) = days AS has_all_rows
    FROM total
    GROUP BY dataset, days, appid, msgid, publication_date, metric
),

judged AS (
    SELECT
        reached.*,
        reached.has_all_rows OR coalesce(coverage.is_final, FALSE) AS is_final
    FROM reached
    LEFT JOIN weixin.coverage
        ON
            reached.dataset = coverage.dataset
            AND reached.appid = coverage.appid
            AND reached.publication_date = coverage.publication_date
)

SELECT
    dataset,
    appid,
    msgid,
    publication_date,
    metric,
    {% for day in [1, 3, 7, 30] %}
    day_{{ day }},
    {% endfor %}
    latest,
    is_final,
    {% for day in [1, 3, 7] %}
    CASE WHEN is_final THEN day_{{ day }}::numeric / nullif(latest, 0) END AS day_{{ day }}_share,
    {% endfor %}
    CASE WHEN is_final THEN day_30::numeric / nullif(latest, 0) END AS day_30_share
FROM judged
