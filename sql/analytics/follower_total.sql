-- One row per account and day for which followers were asked: the followers at the end of the day,
-- and the people who followed and unfollowed over all channels. An unknown figure is NULL. The
-- channels are in analytics.follower_change. won, lost and net add up over days, followers don't;
-- a sum lacks the days that are NULL
-- 中文：每个公众号、每个请求过的统计日一行：关注人数及全部渠道的增减，未知为 NULL
-- key: appid, stat_date
-- joins: appid to account; stat_date to calendar
{% from "weixin/macros.jinja" import is_conclusive, is_fully_loaded %}
{% import "analytics/columns.jinja" as shared %}
{#- Return a sum over all channels, NULL unless the fact has the newest answer's channels only. #}
{% macro over_channels(metric) -%}
CASE
                WHEN
                    requested.is_change_known
                    AND count(channel.appid) = requested.channel_count
                    AND count(channel.appid) = count(channel.new_user)
                    AND count(channel.appid) = count(channel.cancel_user)
                    THEN coalesce(sum(channel.{{ metric }}), 0)
            END
{%- endmacro %}
CREATE VIEW analytics.follower_total (
    {{ shared.appid }},
    {{ shared.account_name }},
    -- The day (Beijing)
    -- 中文：统计日期（北京时间）
    stat_date,
    -- People who follow the account at the end of the day: never add this up over days. The net
    -- gain over a period is the difference between its ends
    -- 中文：累计关注人数
    -- unit: people, level
    cumulate_user,
    -- People who began to follow the account that day, over all channels; NULL unless all channels
    -- are known
    -- 中文：新增关注人数
    -- unit: people, additive
    won,
    -- People who stopped following the account that day; NULL when won is NULL
    -- 中文：取消关注人数
    -- unit: people, additive
    lost,
    -- won - lost
    -- 中文：净增关注人数
    -- unit: people, additive
    net,
    -- Whether cumulate_user, won and lost are all known
    -- 中文：数据是否完整
    is_complete
) AS
WITH requested AS NOT MATERIALIZED (
    SELECT
        coverage.appid,
        coverage.day,
        bool_or(
            coverage.dataset = 'follower_change'
            AND {{ is_conclusive("coverage") }} AND {{ is_fully_loaded("coverage") | indent(8) }}
        ) AS is_change_known,
        bool_or(
            coverage.dataset = 'follower_total' AND {{ is_fully_loaded("coverage") | indent(8) }}
        ) AS is_total_known,
        max(coverage.row_count) FILTER (WHERE coverage.dataset = 'follower_change') AS channel_count
    FROM weixin.coverage
    WHERE coverage.dataset IN ('follower_total', 'follower_change')
    GROUP BY coverage.appid, coverage.day
)

SELECT
    account.appid,
    account.unique_name AS account_name,
    requested.day AS stat_date,
    CASE WHEN requested.is_total_known THEN total.cumulate_user END AS cumulate_user,
    change.won,
    change.lost,
    change.won - change.lost AS net,
    requested.is_total_known AND total.cumulate_user IS NOT NULL AND change.won IS NOT NULL
        AS is_complete
FROM weixin.dim_account AS account
INNER JOIN requested
    ON account.appid = requested.appid
LEFT JOIN weixin.fact_follower_total AS total
    ON requested.appid = total.appid AND requested.day = total.stat_date
CROSS JOIN
    LATERAL (
        SELECT
            {{ over_channels("new_user") }} AS won,
            {{ over_channels("cancel_user") }} AS lost
        FROM weixin.fact_follower_change AS channel
        WHERE channel.appid = requested.appid AND channel.stat_date = requested.day
    ) AS change
