-- The dictionary of metrics: one row per dataset and metric. article_total and its successor are
-- not merged into one series: WeChat counts them by different rules (article page against all
-- reading scenes, 7 against 30 days), so the same article has different totals in both
-- 中文：指标词典
-- key: dataset, name
{% from "analytics/macros.jinja" import additivity, literal %}
CREATE VIEW analytics.metric (
    -- Which endpoint
    -- 中文：接口
    dataset,
    -- The metric's column name in the fact and in the views; its increment is <name>_increment
    -- 中文：指标名
    name,
    -- Chinese name
    -- 中文：中文名
    chinese_name,
    -- What the metric counts or divides, in English
    -- 中文：英文含义
    meaning,
    -- people, times, cents, minutes, share (1 is all) or list
    -- 中文：单位
    unit,
    -- How the column of this name adds up. cumulative: a running total, over articles, never over
    -- days; its increment is additive, over days as well. additive: over days. level: never
    -- 中文：可加性
    additivity,
    -- What to know before using the metric
    -- 中文：使用须知
    caveat,
    -- The column name that the endpoints share, such as readers; NULL when only this endpoint
    -- counts the metric
    -- 中文：两接口共用的列名
    common_name
) AS
SELECT *
FROM (
    VALUES
    {% for dataset in every_dataset %}
    {% set is_last_dataset = loop.last %}
    {% for metric in dataset.metrics %}
    (
        '{{ dataset.name }}',
        '{{ metric.name }}',
        '{{ metric.chinese_name }}',
        {{ literal(metric.meaning) }},
        '{{ metric.unit }}',
        '{{ additivity(metric, dataset) }}',
        {{ literal(metric.caveat) }},
        {{ literal(metric.common) }}
    ){{ "," if not (loop.last and is_last_dataset) }}
    {% endfor %}
    {% endfor %}
) AS metric (dataset, name, chinese_name, meaning, unit, additivity, caveat, common_name)
