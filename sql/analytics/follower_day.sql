-- One row per account, day and channel by which people began to follow or stopped, and one for all
-- channels together, with the followers at the end of the day. WeChat has split and joined channels
-- in 2020-04, 2020-06 and 2023-06: compare none across these
-- 中文：每个公众号、每个统计日、每个关注渠道一行，另有一行为全部渠道合计
-- key: appid, stat_date, channel
-- joins: appid to account; stat_date to calendar
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.follower_day (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing) on which that happened
    -- 中文：统计日期（北京时间）
    stat_date,
    -- all: every channel together; else the channel, one that is not known by WeChat's number of it
    -- 中文：关注渠道，all 为合计
    channel,
    -- What the channel is called in Chinese; NULL when it is not known
    -- 中文：渠道名称
    channel_chinese_name,
    -- WeChat's number of the channel; NULL of all together. 0 are the other channels, not the sum
    -- 中文：渠道编号（user_source）
    user_source,
    -- People who began to follow the account
    -- 中文：新增关注人数
    -- unit: people, additive
    new_user,
    -- People who stopped following it
    -- 中文：取消关注人数
    -- unit: people, additive
    cancel_user,
    -- new_user - cancel_user
    -- 中文：净增关注人数
    -- unit: people, additive
    net_user,
    -- People who follow the account at the end of the day; of all channels together only
    -- 中文：累计关注人数
    -- unit: people, level
    cumulate_user,
    -- Whether WeChat's answers for the day were ready: of those that are collected, both
    -- 中文：数据是否完整
    is_complete
) AS
SELECT
    account.appid,
    account.name AS account_name,
    fact.stat_date,
    coalesce(known.channel, fact.user_source::text) AS channel,
    known.chinese_name AS channel_chinese_name,
    fact.user_source,
    fact.new_user::numeric AS new_user,
    fact.cancel_user::numeric AS cancel_user,
    fact.new_user::numeric - fact.cancel_user AS net_user,
    NULL::bigint AS cumulate_user,
    coverage.ready_at IS NOT NULL AS is_complete
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_follower_change AS fact
    ON account.appid = fact.appid
LEFT JOIN (
    VALUES
    {% for channel in channels %}
    (
        {{ channel.user_source }}, '{{ channel.code }}', '{{ channel.chinese_name }}'
    ){{ "," if not loop.last }}
    {% endfor %}
) AS known (user_source, channel, chinese_name)
    ON fact.user_source = known.user_source
LEFT JOIN weixin.coverage
    ON
        coverage.dataset = 'follower_change'
        AND fact.appid = coverage.appid
        AND fact.stat_date = coverage.publication_date
UNION ALL
SELECT
    account.appid,
    account.name AS account_name,
    day.stat_date,
    'all' AS channel,
    '全部' AS channel_chinese_name,
    NULL::bigint AS user_source,
    CASE WHEN day.has_change THEN coalesce(change.new_user, 0) END AS new_user,
    CASE WHEN day.has_change THEN coalesce(change.cancel_user, 0) END AS cancel_user,
    CASE
        WHEN day.has_change THEN coalesce(change.new_user - change.cancel_user, 0)
    END AS net_user,
    stock.cumulate_user,
    day.is_complete
FROM weixin.dim_account AS account
INNER JOIN (
    SELECT
        appid,
        publication_date AS stat_date,
        coalesce(bool_or(fetched_at IS NOT NULL) FILTER (WHERE dataset = 'follower_change'), FALSE)
            AS has_change,
        bool_and(ready_at IS NOT NULL) AS is_complete
    FROM weixin.coverage
    WHERE dataset IN ('follower_change', 'follower_total')
    GROUP BY appid, publication_date
    HAVING bool_or(fetched_at IS NOT NULL)
) AS day
    ON account.appid = day.appid
LEFT JOIN (
    SELECT
        appid,
        stat_date,
        sum(new_user) AS new_user,
        sum(cancel_user) AS cancel_user
    FROM weixin.fact_follower_change
    GROUP BY appid, stat_date
) AS change
    ON day.appid = change.appid AND day.stat_date = change.stat_date
LEFT JOIN weixin.fact_follower_total AS stock
    ON day.appid = stock.appid AND day.stat_date = stock.stat_date
