-- One row per account and day asked for: WeChat's own summary of the account's day, as it was last
-- fetched. What is not known is NULL; an empty answer does not say whether nobody read anything.
-- Each person is counted once, whatever they read: never add it to articles' figures
-- 中文：每个公众号、每个请求过的统计日一行：微信给出的账号汇总，未知为 NULL
-- key: appid, stat_date
-- joins: appid to account; stat_date to calendar
{% from "analytics/macros.jinja" import sentence %}
{% from "weixin/macros.jinja" import is_whole %}
{% import "analytics/columns.jinja" as the %}
{% set its = every_dataset | selectattr("name", "equalto", "account_summary") | first %}
CREATE VIEW analytics.account_summary (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing), as it was asked for
    -- 中文：统计日期（北京时间）
    stat_date,
    {% for it in its.common if it.metric %}
    -- {{ sentence(it.metric.meaning) }}: {{ it.metric.name }} by the name that endpoints share
    -- 中文：{{ it.chinese_name }}
    -- unit: {{ it.unit }}, level
    {{ it.name }},
    {% endfor %}
    {% for metric in its.figures if not metric.common %}
    -- {{ sentence(metric.meaning) }}
    -- 中文：{{ metric.chinese_name }}
    -- unit: {{ metric.unit }}, {{ "additive" if metric in its.counted else "level" }}
    {{ metric.name }},
    {% endfor %}
    -- Whether the figures stand: the day is not asked for again, and nothing in its answer was
    -- rejected
    -- 中文：是否已定稿
    is_final
) AS
SELECT
    account.appid,
    account.name AS account_name,
    pair.day AS stat_date,
    {% for it in its.common if it.metric %}
    fact.{{ it.metric.name }} AS {{ it.name }},
    {% endfor %}
    {% for metric in its.figures if not metric.common %}
    fact.{{ metric.name }},
    {% endfor %}
    coalesce(fact.appid IS NOT NULL AND pair.settled = 'final' AND {{ is_whole("pair") }}, FALSE)
        AS is_final
FROM weixin.dim_account AS account
INNER JOIN weixin.coverage AS pair
    ON account.appid = pair.appid AND pair.dataset = 'account_summary'
LEFT JOIN weixin.fact_account_summary AS fact
    ON pair.appid = fact.appid AND pair.day = fact.stat_date
