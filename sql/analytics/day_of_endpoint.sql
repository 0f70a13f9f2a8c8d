{# for each: every_dataset | rejectattr("describes_articles") | rejectattr("is_combined") #}
{% if item %}
-- One row per account, {{ item }} and day: {{ dataset.description }}
-- ({{ dataset.endpoint }}), as it was last fetched
{% else %}
-- One row per account and day asked for: {{ dataset.description }}
-- ({{ dataset.endpoint }}), as it was last fetched. What is not known is NULL; an empty answer does
-- not say that there was nothing. Each person is counted once, whatever they read: never add it to
-- articles' figures
{% endif %}
-- 中文：每个公众号、每个统计日一行（{{ dataset.endpoint }}），未知为 NULL
-- key: {{ dataset.key | join(", ") }}
-- joins: appid to account; stat_date to calendar
{% from "analytics/macros.jinja" import additivity, sentence %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.{{ dataset.name }} (
    {{ the.appid }},
    {{ the.account_name }},
    {% if item == "msgid" %}
    {{ the.msgid }},
    {{ the.title }},
    {{ the.publication_date }},
    {% elif item %}
    -- WeChat's id of {{ dataset.item.of }}
    -- 中文：ID
    {{ item }},
    {% endif %}
    -- The day (Beijing) of the figures
    -- 中文：统计日期（北京时间）
    stat_date,
    {% for it in dataset.common if it.metric %}
    -- {{ sentence(it.metric.meaning) }}: {{ it.metric.name }} by the name that endpoints share
    -- 中文：{{ it.chinese_name }}
    -- unit: {{ it.unit }}, level
    {{ it.name }},
    {% endfor %}
    {% for metric in dataset.figures if not metric.common %}
    -- {{ sentence(metric.meaning) }}
    -- 中文：{{ metric.chinese_name }}
    -- unit: {{ metric.unit }}, {{ additivity(metric, dataset) }}
    {{ metric.name }},
    {% endfor %}
    -- Whether the day is final: it is not asked for again
    -- 中文：是否已定稿
    is_final
) AS
SELECT
    account.appid,
    account.name AS account_name,
    {% if item %}
    fact.{{ item }},
    {% endif %}
    {% if item == "msgid" %}
    article.title,
    article.publication_date,
    {% endif %}
    {{ "fact.stat_date" if item else "pair.day AS stat_date" }},
    {% for it in dataset.common if it.metric %}
    fact.{{ it.metric.name }} AS {{ it.name }},
    {% endfor %}
    {% for metric in dataset.figures if not metric.common %}
    fact.{{ metric.name }},
    {% endfor %}
    coalesce(pair.settled = 'final', FALSE) AS is_final
FROM weixin.dim_account AS account
{% if item %}
INNER JOIN weixin.{{ fact }} AS fact
    ON account.appid = fact.appid
LEFT JOIN weixin.coverage AS pair
    ON
        fact.appid = pair.appid
        AND fact.stat_date = pair.day
        AND pair.dataset = '{{ dataset.name }}'
{% else %}
INNER JOIN weixin.coverage AS pair
    ON account.appid = pair.appid AND pair.dataset = '{{ dataset.name }}'
LEFT JOIN weixin.{{ fact }} AS fact
    ON pair.appid = fact.appid AND pair.day = fact.stat_date
{% endif %}
{% if item == "msgid" %}
LEFT JOIN weixin.dim_article AS article -- noqa: ST11
    ON fact.appid = article.appid AND fact.msgid = article.msgid
{% endif %}
