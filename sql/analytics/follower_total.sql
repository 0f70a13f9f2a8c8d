-- One row per account and day asked for of its followers: how many there are at its end, and over
-- all channels how many came and went. What is not known is NULL. The channels are in
-- analytics.follower_change
-- 中文：每个公众号、每个请求过的统计日一行：关注人数及全部渠道的增减，未知为 NULL
-- key: appid, stat_date
-- joins: appid to account; stat_date to calendar
{% from "weixin/macros.jinja" import is_known, is_whole %}
{% import "analytics/columns.jinja" as the %}
{#- A figure of the day over all channels: the fact may have some that the newest answer lacks. #}
{% macro over_channels(metric) -%}
CASE
                WHEN
                    asked.is_change_known
                    AND count(its.appid) = asked.channel_count
                    AND count(its.appid) = count(its.new_user)
                    AND count(its.appid) = count(its.cancel_user)
                    THEN coalesce(sum(its.{{ metric }}), 0)
            END
{%- endmacro %}
CREATE VIEW analytics.follower_total (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing)
    -- 中文：统计日期（北京时间）
    stat_date,
    -- People who follow the account at the end of the day
    -- 中文：累计关注人数
    -- unit: people, level
    cumulate_user,
    -- People who began to follow the account that day, by all channels; NULL unless all of them are
    -- known
    -- 中文：新增关注人数
    -- unit: people, additive
    won,
    -- People who stopped following it that day; NULL as won
    -- 中文：取消关注人数
    -- unit: people, additive
    lost,
    -- won - lost
    -- 中文：净增关注人数
    -- unit: people, additive
    net,
    -- Whether both are known: the followers there are, and who came and went
    -- 中文：数据是否完整
    is_complete
) AS
WITH asked AS NOT MATERIALIZED (
    SELECT
        pair.appid,
        pair.day,
        bool_or(
            pair.dataset = 'follower_change'
            AND {{ is_known("pair") }} AND {{ is_whole("pair") | indent(8) }}
        ) AS is_change_known,
        bool_or(
            pair.dataset = 'follower_total' AND {{ is_whole("pair") | indent(8) }}
        ) AS is_total_known,
        max(pair.row_count) FILTER (WHERE pair.dataset = 'follower_change') AS channel_count
    FROM weixin.coverage AS pair
    WHERE pair.dataset IN ('follower_total', 'follower_change')
    GROUP BY pair.appid, pair.day
)

SELECT
    account.appid,
    account.name AS account_name,
    asked.day AS stat_date,
    CASE WHEN asked.is_total_known THEN stock.cumulate_user END AS cumulate_user,
    change.won,
    change.lost,
    change.won - change.lost AS net,
    asked.is_total_known AND stock.cumulate_user IS NOT NULL AND change.won IS NOT NULL
        AS is_complete
FROM weixin.dim_account AS account
INNER JOIN asked
    ON account.appid = asked.appid
LEFT JOIN weixin.fact_follower_total AS stock
    ON asked.appid = stock.appid AND asked.day = stock.stat_date
CROSS JOIN
    LATERAL (
        SELECT
            {{ over_channels("new_user") }} AS won,
            {{ over_channels("cancel_user") }} AS lost
        FROM weixin.fact_follower_change AS its
        WHERE its.appid = asked.appid AND its.stat_date = asked.day
    ) AS change
