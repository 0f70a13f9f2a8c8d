-- One row per account, day and channel by which people began to follow or stopped, and one for all
-- channels together, with the followers at the end of the day. A channel by which nobody came or
-- went has no row of the day: divide its sums by the days of all. WeChat has split and joined
-- channels in 2020-04, 2020-06 and 2023-06: compare none across these
-- 中文：每个公众号、每个统计日、每个关注渠道一行，另有一行为全部渠道合计
-- key: appid, stat_date, channel
-- joins: appid to account; stat_date to calendar
{% from "weixin/macros.jinja" import is_whole %}
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
    -- People who follow the account at the end of the day, of all channels together only; NULL when
    -- no answer of follower_total was ready, or it was rejected
    -- 中文：累计关注人数
    -- unit: people, level
    cumulate_user,
    -- Whether who came and went is known: WeChat's answer for the day was ready, nothing in it was
    -- rejected or left out, and it has every channel that an earlier answer of the day had. Where
    -- follower_total alone is collected of an account: whether its answer was
    -- 中文：数据是否完整
    is_complete
) AS
WITH answered AS NOT MATERIALIZED (
    SELECT
        pair.dataset,
        pair.appid,
        pair.day AS stat_date,
        {{ is_whole("pair") }}
        AND (
            pair.dataset != 'follower_change' OR EXISTS (
                SELECT count(*)
                FROM weixin.fact_follower_change AS its
                WHERE its.appid = pair.appid AND its.stat_date = pair.day
                HAVING
                    count(*) = pair.row_count
                    AND count(*) = count(its.new_user)
                    AND count(*) = count(its.cancel_user)
            )
        ) AS is_whole
    FROM weixin.coverage AS pair
    WHERE pair.dataset IN ('follower_change', 'follower_total') AND pair.fetched_at IS NOT NULL
)

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
    coalesce(answered.is_whole, FALSE) AS is_complete
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_follower_change AS fact
    ON account.appid = fact.appid
LEFT JOIN (
    VALUES
    -- the channels that WeChat names; another one is told by its number
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
) AS known (user_source, channel, chinese_name)
    ON fact.user_source = known.user_source
LEFT JOIN answered
    ON
        answered.dataset = 'follower_change'
        AND fact.appid = answered.appid
        AND fact.stat_date = answered.stat_date
UNION ALL
SELECT
    account.appid,
    account.name AS account_name,
    day.stat_date,
    'all' AS channel,
    '全部' AS channel_chinese_name,
    NULL::bigint AS user_source,
    day.new_user,
    day.cancel_user,
    day.new_user - day.cancel_user AS net_user,
    CASE WHEN day.is_total_whole THEN stock.cumulate_user END AS cumulate_user,
    coalesce(
        day.is_change_whole,
        day.is_total_whole AND NOT EXISTS (
            SELECT FROM weixin.coverage AS change
            WHERE change.dataset = 'follower_change' AND change.appid = day.appid
        )
    ) AS is_complete
FROM weixin.dim_account AS account
INNER JOIN (
    SELECT
        pair.appid,
        pair.stat_date,
        {% for metric in ["new_user", "cancel_user"] %}
        CASE
            WHEN
                count(its.appid) = 0
                AND bool_or(pair.is_whole AND pair.dataset = 'follower_change')
                THEN 0
            WHEN count(its.appid) = count(its.{{ metric }}) THEN sum(its.{{ metric }})
        END AS {{ metric }},
        {% endfor %}
        bool_or(pair.is_whole) FILTER (WHERE pair.dataset = 'follower_change') AS is_change_whole,
        bool_or(pair.is_whole) FILTER (WHERE pair.dataset = 'follower_total') AS is_total_whole
    FROM answered AS pair
    LEFT JOIN weixin.fact_follower_change AS its
        ON
            pair.dataset = 'follower_change'
            AND pair.appid = its.appid
            AND pair.stat_date = its.stat_date
    GROUP BY pair.appid, pair.stat_date
) AS day
    ON account.appid = day.appid
LEFT JOIN weixin.fact_follower_total AS stock
    ON day.appid = stock.appid AND day.stat_date = stock.stat_date
