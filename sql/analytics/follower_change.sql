-- One row per account, day and channel through which people followed or unfollowed. A channel
-- without any change has no row for the day: for averages divide by the days of
-- analytics.follower_total, which has all channels together and tells whether they are known.
-- WeChat split and joined channels in 2020-04, 2020-06 and 2023-06: compare no channel across these
-- months
-- 中文：每个公众号、每个统计日、每个关注渠道一行
-- key: appid, stat_date, user_source
-- joins: appid to account; appid, stat_date to follower_total
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.follower_change (
    {{ shared.appid }},
    {{ shared.account_name }},
    -- The day (Beijing) of the figures
    -- 中文：统计日期（北京时间）
    stat_date,
    -- The channel's code; WeChat's number if this project has no code for the channel
    -- 中文：关注渠道
    channel,
    -- Chinese name of the channel; NULL without a code
    -- 中文：渠道名称
    channel_chinese_name,
    -- WeChat's number of the channel. 0 means all other channels, not the sum
    -- 中文：渠道编号（user_source）
    user_source,
    -- People who began to follow the account
    -- 中文：新增关注人数
    -- unit: people, additive
    new_user,
    -- People who stopped following it
    -- 中文：取消关注人数
    -- unit: people, additive
    cancel_user
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    fact.stat_date,
    coalesce(named_channel.channel, fact.user_source::text) AS channel,
    named_channel.chinese_name AS channel_chinese_name,
    fact.user_source,
    fact.new_user,
    fact.cancel_user
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_follower_change AS fact
    ON account.appid = fact.appid
LEFT JOIN (
    VALUES
    -- The channels that WeChat's documentation names.
    (0, 'others', '其他合计'),
    (1, 'search', '搜索'),
    (17, 'name_card', '名片分享'),
    (30, 'qr_code', '扫描二维码'),
    (57, 'article', '文章内账号名称'),
    (100, 'advertisement', '微信广告'),
    (149, 'mini_program', '小程序关注'),
    (161, 'reprint', '他人转载'),
    (200, 'video_account', '视频号'),
    (201, 'live_stream', '直播')
) AS named_channel (user_source, channel, chinese_name)
    ON fact.user_source = named_channel.user_source
