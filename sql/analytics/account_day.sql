-- One row per account and calendar day, for all accounts: what all articles gained that day, in one
-- series for both endpoints. A day's figures come from getarticletotal (analytics.account_day_7d)
-- where that listed every notified article and has a row of each, else from its successor
-- (analytics.account_day_30d) where that is complete; where neither is, is_complete is false and
-- the figures may be a part of the day's. The endpoints count differently: where an
-- account changes from one to the other, compare the columns that end in _comparable. Figures that
-- only one endpoint counts are in that endpoint's own view
-- 中文：每个公众号、每一天一行：全部公众号的统一序列（getarticletotal 可用时取其数据，之后取替代接口）
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import increment, is_complete, is_in_series %}
{% from "weixin/macros.jinja" import beijing %}
{% import "analytics/columns.jinja" as shared %}
{% from "analytics/both.jinja" import column, counted_by_both, new, old with context %}
{% set readers = counted_by_both | selectattr("name", "equalto", "readers") | first %}
{#- Return an endpoint's figure of the day. -#}
{% macro figure(dataset, common) -%}
stored{{ dataset.suffix }}.{{ column(dataset, common) }}
{%- endmacro %}
{#- Return the factor by which the successor's figures of the account are multiplied. -#}
{% macro ratio(common) -%}
state{{ new.suffix }}.{{ common.name }}_ratio
{%- endmacro %}
{#- Return whether the day is in the series of an endpoint. -#}
{% macro in_series(dataset) -%}
{{ is_in_series(
    "calendar.calendar_date", dataset, "account", "state" ~ dataset.suffix, "daily" ~ dataset.suffix
) }}
{%- endmacro %}
CREATE VIEW analytics.account_day (
    {{ shared.appid }},
    {{ shared.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day that either endpoint has listed
    -- 中文：当日发布文章数
    -- unit: articles, additive
    articles_published,
    -- Which endpoint the day's figures come from: 7d (getarticletotal) or 30d (its successor)
    -- 中文：数据来源接口：7d 为 getarticletotal，30d 为其替代接口
    endpoint,
    {% for common in counted_by_both %}
    {{
        increment(
            common.metric,
            "gained on the day over all articles within the endpoint's window, by its own rules; "
            ~ "a part of it where is_complete is false, NULL when nothing is known"
        )
    }}
    {{ common.name }}_increment,
    {% endfor %}
    {% for common in counted_by_both %}
    -- {{ common.name }}_increment by one way of counting for the whole account: see counting.
    -- A part of it where is_complete is false, NULL when nothing is known
    -- 中文：{{ common.chinese_name }}（新增，按 getarticletotal 口径折算）
    -- unit: {{ common.unit }}, additive
    {{ common.name }}_comparable,
    {% endfor %}
    -- How the columns _comparable count the account's day. getarticletotal: as that endpoint
    -- counted. estimated: the successor's figure times a ratio, the sum by getarticletotal over the
    -- sum by its successor, over the account's days that are complete in both. successor: the
    -- successor's own figure, because the account has no such days: it is about 8 % apart
    -- 中文：可比列的口径：getarticletotal 原值，estimated 按比例折算，successor 替代接口原值（无可折算的日期）
    counting,
    -- Whether everything gained on the day is known from that endpoint; false in the first days
    -- loaded, whose older articles are unknown. The publication days that lack figures of the day
    -- are in coverage: through_date is earlier, or articles_lacking is not 0
    -- 中文：当日数据是否完整
    is_complete,
    -- When the account's days were last computed: see as_of in the view of the endpoint
    -- 中文：数据计算时间
    as_of
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    calendar.calendar_date,
    (
        SELECT count(*)
        FROM weixin.dim_article AS article
        WHERE
            article.appid = account.appid
            AND article.publication_date = calendar.calendar_date
    ) AS articles_published,
    chosen.endpoint,
    {% for common in counted_by_both %}
    CASE chosen.endpoint
        WHEN '7d' THEN {{ figure(old, common) }}
        ELSE {{ figure(new, common) }}
    END AS {{ common.name }}_increment,
    {% endfor %}
    {% for common in counted_by_both %}
    CASE chosen.endpoint
        WHEN '7d' THEN {{ figure(old, common) }}
        ELSE round(coalesce({{ ratio(common) }}, 1) * {{ figure(new, common) }})
    END AS {{ common.name }}_comparable,
    {% endfor %}
    CASE
        WHEN chosen.endpoint = '7d' THEN 'getarticletotal'
        WHEN {{ ratio(readers) }} IS NULL THEN 'successor'
        ELSE 'estimated'
    END AS counting,
    CASE chosen.endpoint
        WHEN '7d' THEN {{ is_complete("stored" ~ old.suffix, "state" ~ old.suffix) | indent(8) }}
        ELSE {{ is_complete("stored" ~ new.suffix, "state" ~ new.suffix) | indent(8) }}
    END AS is_complete,
    CASE chosen.endpoint
        WHEN '7d' THEN state{{ old.suffix }}.refreshed_at
        ELSE state{{ new.suffix }}.refreshed_at
    END AS as_of
FROM weixin.dim_account AS account
{% for dataset in [old, new] %}
LEFT JOIN weixin.account_day_state AS state{{ dataset.suffix }}
    ON account.appid = state{{ dataset.suffix }}.appid
        AND state{{ dataset.suffix }}.dataset = '{{ dataset.name }}'
LEFT JOIN weixin.collected_since AS daily{{ dataset.suffix }}
    ON account.appid = daily{{ dataset.suffix }}.appid
        AND daily{{ dataset.suffix }}.dataset = '{{ dataset.name }}'
{% endfor %}
CROSS JOIN
    LATERAL (
        SELECT
            least(
                state{{ old.suffix }}.first_date, daily{{ old.suffix }}.since_date,
                state{{ new.suffix }}.first_date, daily{{ new.suffix }}.since_date
            ) AS first_date,
            CASE
                WHEN account.is_active THEN {{ beijing("now()") }} - 1
                ELSE greatest(state{{ old.suffix }}.last_date, state{{ new.suffix }}.last_date)
            END AS last_date
    ) AS series
INNER JOIN analytics.calendar
    ON calendar.calendar_date BETWEEN series.first_date AND series.last_date
{% for dataset in [old, new] %}
LEFT JOIN weixin.account_day AS stored{{ dataset.suffix }}
    ON account.appid = stored{{ dataset.suffix }}.appid
        AND calendar.calendar_date = stored{{ dataset.suffix }}.calendar_date
        AND stored{{ dataset.suffix }}.dataset = '{{ dataset.name }}'
{% endfor %}
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN stored{{ old.suffix }}.is_complete THEN '7d'
                WHEN stored{{ old.suffix }}.has_all_rows THEN '7d'
                WHEN stored{{ new.suffix }}.is_complete THEN '30d'
                WHEN ({{ in_series(new) }}) IS NOT TRUE THEN '7d'
                WHEN ({{ in_series(old) }}) IS NOT TRUE THEN '30d'
                WHEN
                    {{ figure(new, readers) }} IS NULL
                    AND {{ figure(old, readers) }} IS NOT NULL
                    THEN '7d'
                WHEN calendar.calendar_date <= (
                        SELECT max(counted.calendar_date)
                        FROM weixin.account_day AS counted
                        WHERE
                            counted.dataset = '{{ old.name }}'
                            AND counted.appid = account.appid
                            AND counted.has_all_rows
                    ) THEN '7d'
                ELSE '30d'
            END AS endpoint
    ) AS chosen
WHERE {{ in_series(old) }} OR {{ in_series(new) }}
