-- One row per dataset, account and publication or statistics day: what is stored, and how the last
-- attempt ended. The days begin a window before the first daily run (without one, on the first day
-- ever asked for) and end yesterday, or for an account no longer collected on the last day asked
-- for. Earlier days that were asked for have a row too
-- 中文：每个接口、每个公众号、每个发布日（或统计日）一行：已有什么，最近一次请求结果如何
-- key: dataset, appid, day
-- joins: appid to account; day to calendar
{% from "analytics/days.jinja" import days %}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.coverage (
    -- Which endpoint: article_total (getarticletotal), article_total_detail (its successor), or one
    -- of analytics.metric
    -- 中文：接口
    dataset,
    {{ shared.appid }},
    {{ shared.account_name }},
    -- The day asked for (Beijing): a publication day or, where the dataset has these, a statistics
    -- day
    -- 中文：所请求的日期（北京时间）：发布日，或按统计日请求的接口的统计日
    day,
    -- The state of the day, the first that holds. final: the figures have stopped changing, and two
    -- answers agree; given_up: the answer can't be read, or no article has figures; ended: not
    -- asked for any more, because the account is no longer collected or WeChat retired the endpoint
    -- for it; lost: never ready, and too old for daily runs; silent: the window is over, and the
    -- newest answer lists nothing while WeChat lists no article of the account at all; unconfirmed:
    -- the window is over, and no second answer agrees yet; in: ready by the morning that is due
    -- (today's from noon on, else yesterday's); behind: ready by then, but without figures of the
    -- day before, although articles are listed or the day before had figures; late: due and not
    -- ready; open: due later
    -- 中文：状态：final 已定稿，given_up 无法解析或无数据，ended 已停止，lost 已错过，silent 静候，
    -- unconfirmed 待核实，in 已到位，behind 滞后，late 迟到，open 待取
    state,
    -- Whether the newest loaded answer has figures of the day, perhaps of an earlier morning
    -- 中文：是否已有数据（可能是较早某天取得的）
    has_figures,
    -- How the last attempt ended, whatever the state: ok, not_ready (WeChat has not computed the
    -- day yet) or failed; NULL without an attempt
    -- 中文：最近一次请求的结果：ok 成功，not_ready 未就绪，failed 失败
    last_attempt,
    -- Why the last attempt was not ok: the kind of problem, such as quota or offline; else NULL
    -- 中文：未成功的原因类别
    error_kind,
    -- WeChat's errcode of the last attempt, if it gave one
    -- 中文：微信错误码
    error_code,
    -- What happened in the last attempt, with WeChat's words, and what to do; then which parts of
    -- the answers were rejected. NULL if the attempt was ok and no part was rejected
    -- 中文：原因与处理办法，以及应答中不合格的部分
    reason,
    -- The morning whose daily run asks for the day again; NULL when no run does: the day is
    -- settled, lost or silent, the endpoint is retired, or the account is not collected
    -- 中文：下次请求的日期（当天的每日运行）；不再请求时为 NULL
    next_date,
    -- The first morning on which the day can be final; NULL when daily runs do not ask for it
    -- 中文：最早可定稿的日期
    final_date,
    -- When the last attempt was answered or abandoned; NULL without one
    -- 中文：最近一次请求时间
    attempted_at,
    -- Articles in the newest ready answer that lack a row for a day that WeChat must have computed
    -- by then; NULL in datasets of statistics days
    -- 中文：缺少数据的文章数
    -- unit: articles, level
    articles_lacking,
    -- Last stat_date that every article of the newest answer reaches
    -- 中文：全部文章都有数据的最后统计日
    through_date,
    -- When the newest loaded answer was fetched; NULL when there never was one
    -- 中文：最新数据获取时间
    fetched_at,
    -- When the newest answer was fetched that was accepted for its morning: it has the rows up to
    -- the day before (Beijing), or came after ready_hour. If it lacks these rows, state is behind
    -- 中文：最新完整数据获取时间
    ready_at
) AS
{{ days("now()", every_dataset, datasets) }}
