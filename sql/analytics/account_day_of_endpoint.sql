{# for each: datasets #}
-- One row per account and calendar day of {{ dataset.endpoint }}: what all articles of the account
-- gained that day. The days begin with the first publication day asked for and end yesterday
-- (Beijing), or for an account no longer collected on the last day asked for. An increment that
-- spans a gap counts on its last day. NULL means unknown; 0 means that the day is known and nothing
-- was gained
-- 中文：每个公众号、每一天一行：当日全部文章的新增值
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{%
    from "analytics/macros.jinja" import
    common_increment, increment, is_complete, is_in_series
%}
{% import "analytics/columns.jinja" as shared %}
{% set gained_on_the_day -%}
gained on the day over all articles within their window of {{ dataset.window }} days;
    -- a part of it where is_complete is false, NULL when nothing is known
{%- endset %}
CREATE VIEW analytics.account_day{{ dataset.suffix }} (
    {{ shared.appid }},
    {{ shared.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day that either endpoint has listed
    -- 中文：当日发布文章数
    -- unit: articles, additive
    articles_published,
    {% for common in dataset.common %}
    {{ common_increment(common, dataset, gained_on_the_day) }}
    {{ common.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ increment(metric, gained_on_the_day) }}
    {{ metric.name }}_increment,
    {% endfor %}
    -- Whether everything gained on the day is known: each of the {{ dataset.window }} publication
    -- days whose window contains the day has a later answer, every expected article has a row with
    -- {{ dataset.headline | join(" and ") }}, no increment spans a gap, and no part of these rows
    -- was rejected. Also false in the first days that were loaded, and while an answer that was
    -- loaded after as_of may have changed the day
    {%- if dataset.successor %}.
    -- False, too, where its successor lists a notified article that this endpoint never listed
    {%- endif %}

    -- 中文：当日数据是否完整
    is_complete,
    -- When the account's days were last computed: at the end of each run, replay or import. Answers
    -- loaded later are not in these figures yet
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
    {% for common in dataset.common %}
    {{ "stored." ~ common.metric.name ~ "_increment" if common.metric else "NULL::numeric" }}
        AS {{ common.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    stored.{{ metric.name }}_increment,
    {% endfor %}
    {{ is_complete("stored", "state") }} AS is_complete,
    state.refreshed_at AS as_of
FROM weixin.dim_account AS account
LEFT JOIN weixin.account_day_state AS state
    ON account.appid = state.appid AND state.dataset = '{{ dataset.name }}'
LEFT JOIN weixin.collected_since AS daily
    ON account.appid = daily.appid AND daily.dataset = '{{ dataset.name }}'
INNER JOIN analytics.calendar
    ON {{ is_in_series("calendar.calendar_date", dataset, "account", "state", "daily") }}
LEFT JOIN weixin.account_day AS stored
    ON
        account.appid = stored.appid
        AND calendar.calendar_date = stored.calendar_date
        AND stored.dataset = '{{ dataset.name }}'
