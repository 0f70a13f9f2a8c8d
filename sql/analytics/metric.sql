-- The dictionary: one row per dataset and metric, and per rate of the views. The two datasets are
-- not merged into one series: WeChat counts them by different rules (article page against all
-- reading scenes, 7 against 30 days), and the same article has different totals in both
{% from "analytics/macros.jinja" import literal %}
CREATE VIEW analytics.metric (
    -- Which endpoint
    dataset,
    -- Name, as the column of the fact or, for a rate, of the views article_rate and account_daily
    name,
    -- What it is called in Chinese
    chinese_name,
    -- What it counts or divides
    meaning,
    -- people, times, cents, minutes, share (1 is all) or list
    unit,
    -- additive: increments of days add up to the total; level: they do not
    additivity,
    -- What to know before using it
    caveat,
    -- What a rate is made of; NULL for what WeChat gives itself
    formula
) AS
SELECT *
FROM (
    VALUES
    {% for dataset in datasets %}
    {% for metric in dataset.metrics %}
    (
        '{{ dataset.name }}',
        '{{ metric.name }}',
        '{{ metric.chinese_name }}',
        {{ literal(metric.meaning) }},
        '{{ metric.unit }}',
        '{{ "additive" if metric in dataset.totals else "level" }}',
        {{ literal(metric.caveat) }},
        NULL
    ),
    {% endfor %}
    {% endfor %}
    {% for dataset in datasets %}
    {% set is_last_dataset = loop.last %}
    {% for rate in dataset.rates %}
    (
        '{{ dataset.name }}',
        '{{ rate.name }}',
        '{{ rate.chinese_name }}',
        {{ literal(rate.meaning) }},
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        '{{ rate.numerator }} / {{ rate.denominator }}'
    ){{ "," if not (is_last_dataset and loop.last) }}
    {% endfor %}
    {% endfor %}
) AS metric (dataset, name, chinese_name, meaning, unit, additivity, caveat, formula)
