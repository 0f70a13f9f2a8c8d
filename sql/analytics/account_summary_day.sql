-- One row per account and day: WeChat's own summary of the account's day, as it was last fetched.
-- Never add it to articles' figures; what its day means is in day_meaning
-- 中文：每个公众号、每个统计日一行：微信给出的账号汇总
-- key: appid, stat_date
-- joins: appid to account; stat_date to calendar
{% from "weixin/macros.jinja" import beijing, is_whole %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.account_summary_day (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing), as it was asked for
    -- 中文：统计日期（北京时间）
    stat_date,
    -- What the day is, by what came of the account: reading, if a day without articles has readers;
    -- publication, if a day's readers grew after the second morning; unknown until one is shown
    -- 中文：日期的含义：reading 阅读日，publication 发布日，unknown 尚不清楚
    day_meaning,
    -- People who read any article of the account; each counted once
    -- 中文：阅读人数
    -- unit: people, level
    read_user,
    -- People who shared any
    -- 中文：分享人数
    -- unit: people, level
    share_user,
    -- People who marked any 在看 (wow)
    -- 中文：在看人数
    -- unit: people, level
    zaikan_user,
    -- People who liked any
    -- 中文：点赞人数
    -- unit: people, level
    like_user,
    -- Comments
    -- 中文：评论数
    -- unit: times, additive
    comment_count,
    -- People who added any to their favourites
    -- 中文：收藏人数
    -- unit: people, level
    collection_user,
    -- People who followed "read the original"
    -- 中文：原文页阅读人数
    -- unit: people, level
    redirect_ori_page_user,
    -- Articles published
    -- 中文：发表篇数
    -- unit: articles, additive
    send_page_count,
    -- Whether the figures stand: the day is not asked for again, and nothing in its answer was
    -- rejected
    -- 中文：是否已定稿
    is_final
) AS
SELECT
    account.appid,
    account.name AS account_name,
    fact.stat_date,
    CASE
        WHEN shown.is_reading AND NOT shown.is_publication THEN 'reading'
        WHEN shown.is_publication AND NOT shown.is_reading THEN 'publication'
        ELSE 'unknown'
    END AS day_meaning,
    fact.read_user,
    fact.share_user,
    fact.zaikan_user,
    fact.like_user,
    fact.comment_count,
    fact.collection_user,
    fact.redirect_ori_page_user,
    fact.send_page_count,
    coalesce(coverage.settled = 'final' AND {{ is_whole("coverage") }}, FALSE) AS is_final
FROM weixin.dim_account AS account
CROSS JOIN
    LATERAL (
        SELECT
            (
                SELECT count(*) > 0
                FROM weixin.fact_account_summary AS silent
                WHERE
                    silent.appid = account.appid
                    AND silent.send_page_count = 0
                    AND silent.read_user > 0
            ) AS is_reading,
            (
                SELECT count(*) > 0
                FROM weixin.fact_history AS history
                CROSS JOIN
                    jsonb_populate_record(NULL::weixin.fact_account_summary, history.row) AS before
                INNER JOIN weixin.fact_account_summary AS after
                    ON history.appid = after.appid AND history.stat_date = after.stat_date
                WHERE
                    history.dataset = 'account_summary'
                    AND history.appid = account.appid
                    AND before.read_user < after.read_user
                    -- on the first morning an answer may have been half worked out
                    AND {{ beijing("before.fetched_at") }} > before.stat_date + 1
                    AND {{ beijing("before.fetched_at") }} < {{ beijing("after.fetched_at") }}
            ) AS is_publication
    ) AS shown
INNER JOIN weixin.fact_account_summary AS fact
    ON account.appid = fact.appid
LEFT JOIN weixin.coverage
    ON
        coverage.dataset = 'account_summary'
        AND fact.appid = coverage.appid
        AND fact.stat_date = coverage.day
