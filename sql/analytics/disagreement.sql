-- One row per figure of a statistics day that does not agree with what another endpoint tells of
-- the same. Both are as WeChat gave them: which one is right, it does not say. Days of which one of
-- them is not in, or was partly rejected, have no row
-- 中文：每个与另一接口不一致的数值一行
-- key: dataset, appid, stat_date, msgid
-- joins: appid to account; stat_date to calendar
{% from "weixin/macros.jinja" import disagreements %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.disagreement (
    {{ the.dataset }},
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing) of the figure
    -- 中文：统计日期（北京时间）
    stat_date,
    -- The article; NULL when it is a figure of the account
    -- 中文：文章 ID
    msgid,
    -- The metric, of dataset; of follower_total the change since the day before
    -- 中文：指标名
    metric,
    -- Its value; 0 when WeChat's answer for the day does not list the article, or is empty
    -- 中文：数值
    -- unit: of the metric, level
    found,
    -- The least that it must be by the other endpoint
    -- 中文：按另一接口的最小值
    -- unit: of the metric, level
    least_expected,
    -- The most that it may be by the other endpoint
    -- 中文：按另一接口的最大值
    -- unit: of the metric, level
    most_expected,
    -- The other endpoint
    -- 中文：另一接口
    other_dataset
) AS
SELECT
    compared.dataset,
    account.appid,
    account.name AS account_name,
    compared.stat_date,
    compared.msgid,
    compared.metric,
    compared.found,
    compared.least_expected,
    compared.most_expected,
    compared.other_dataset
FROM weixin.dim_account AS account
INNER JOIN (
    {{ disagreements(datasets) }}
) AS compared
    ON account.appid = compared.appid
