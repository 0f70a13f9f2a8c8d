-- One row per figure or list whose value changed after its row was loaded, including those that
-- WeChat had left out before. A row that is loaded for the first time restates nothing
-- 中文：每次数据变更一行：更正、迟到、移除
-- key: dataset, appid, msgid, user_source, stat_date, metric, changed_at
-- joins: appid to account; dataset, metric to metric; stat_date to calendar
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.restatement (
    {{ the.dataset }},
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.title }},
    {{ the.publication_date }},
    -- The day whose total changed (Beijing)
    -- 中文：统计日期（北京时间）
    stat_date,
    {{ the.metric }},
    -- correction: it had a value and was given another. late: it had none, WeChat gave it later: no
    -- correction. removed: it had one, and a replay found that no kept answer gives it
    -- 中文：类型：correction 更正，late 迟到（此前为空），removed 移除
    kind,
    -- Value before; NULL when it had none, and of a list
    -- 中文：变更前的值
    -- unit: of the metric, level
    old_value,
    -- Value after; NULL when it was removed, and of a list
    -- 中文：变更后的值
    -- unit: of the metric, level
    new_value,
    -- new_value - old_value of the total: later totals of the article contain it too, so never add
    -- it up over days. What a day's increment was: analytics.article_day_7d_as_of. NULL unless it
    -- is the correction of a figure
    -- 中文：累计值差值
    -- unit: of the metric, level
    total_difference,
    -- List before, as WeChat gave it
    -- 中文：变更前的列表
    old_list,
    -- List after, as WeChat gave it
    -- 中文：变更后的列表
    new_list,
    -- wechat: WeChat answered something else; replay: the fact was rebuilt from the kept answers,
    -- which a newer parser read differently, or of which some came late
    -- 中文：原因：wechat 微信改数，replay 重新解析
    cause,
    -- When it was loaded
    -- 中文：变更时间
    changed_at,
    -- WeChat's number of the channel; NULL unless the dataset has channels
    -- 中文：渠道编号（user_source）
    user_source
) AS
SELECT
    restatement.dataset,
    restatement.appid,
    restatement.account_name,
    restatement.msgid,
    article.title,
    article.publication_date,
    restatement.stat_date,
    restatement.metric,
    restatement.kind,
    restatement.old_value,
    restatement.new_value,
    restatement.new_value - restatement.old_value AS total_difference,
    restatement.old_list,
    restatement.new_list,
    restatement.cause,
    restatement.changed_at,
    restatement.user_source
FROM weixin.restatement
LEFT JOIN weixin.dim_article AS article
    ON restatement.appid = article.appid AND restatement.msgid = article.msgid
