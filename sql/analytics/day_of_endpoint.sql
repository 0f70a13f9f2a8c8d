{# for each: every_dataset | rejectattr("describes_articles") | rejectattr("is_combined") #}
{% if item %}
-- One row per account, {{ item }} and day: {{ dataset.description }}
-- ({{ dataset.endpoint }}), from the newest answer
{% else %}
-- One row per account and day asked for: {{ dataset.description }}
-- ({{ dataset.endpoint }}), from the newest answer. An unknown figure is NULL; an empty answer does
-- not mean 0. Each person is counted once, however many articles they read: never add these figures
-- to those of articles
{% endif %}
-- 中文：每个公众号、每个统计日一行（{{ dataset.endpoint }}），未知为 NULL
-- key: {{ dataset.key | join(", ") }}
-- joins: appid to account; stat_date to calendar
{% from "analytics/macros.jinja" import additivity, caveat, sentence %}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.{{ dataset.name }} (
    {{ shared.appid }},
    {{ shared.account_name }},
    {% if item == "msgid" %}
    {{ shared.columns("msgid title publication_date") }},
    {% elif item %}
    -- WeChat's id of {{ dataset.item.of }}
    -- 中文：ID
    {{ item }},
    {% endif %}
    -- The day (Beijing) of the figures
    -- 中文：统计日期（北京时间）
    stat_date,
    {% for common in dataset.common if common.metric %}
    -- {{ sentence(common.metric.meaning) }}:
    -- {{ common.metric.name }} by the name that endpoints share{{ caveat(common.metric) }}
    -- 中文：{{ common.chinese_name }}
    -- unit: {{ common.unit }}, level
    {{ common.name }},
    {% endfor %}
    {% for metric in dataset.figures if not metric.common %}
    -- {{ sentence(metric.meaning) }}
    -- 中文：{{ metric.chinese_name }}
    -- unit: {{ metric.unit }}, {{ additivity(metric, dataset) }}
    {{ metric.name }},
    {% endfor %}
    -- Whether the day is final: daily runs no longer ask for it
    -- 中文：是否已定稿
    is_final
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    {% if item %}
    fact.{{ item }},
    {% endif %}
    {% if item == "msgid" %}
    article.title,
    article.publication_date,
    {% endif %}
    {{ "fact.stat_date" if item else "coverage.day AS stat_date" }},
    {% for common in dataset.common if common.metric %}
    fact.{{ common.metric.name }} AS {{ common.name }},
    {% endfor %}
    {% for metric in dataset.figures if not metric.common %}
    fact.{{ metric.name }},
    {% endfor %}
    coalesce(coverage.settled = 'final', FALSE) AS is_final
FROM weixin.dim_account AS account
{% if item %}
INNER JOIN weixin.{{ fact }} AS fact
    ON account.appid = fact.appid
LEFT JOIN weixin.coverage
    ON
        fact.appid = coverage.appid
        AND fact.stat_date = coverage.day
        AND coverage.dataset = '{{ dataset.name }}'
{% else %}
INNER JOIN weixin.coverage
    ON account.appid = coverage.appid AND coverage.dataset = '{{ dataset.name }}'
LEFT JOIN weixin.{{ fact }} AS fact
    ON coverage.appid = fact.appid AND coverage.day = fact.stat_date
{% endif %}
{% if item == "msgid" %}
LEFT JOIN weixin.dim_article AS article -- noqa: ST11
    ON fact.appid = article.appid AND fact.msgid = article.msgid
{% endif %}
