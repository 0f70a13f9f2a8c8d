-- One row per distinct answer of WeChat for an account and a day: when it was fetched.
-- The figures name their answer by raw_response_id
-- 中文：微信的每个不同应答一行：何时获取
-- key: raw_response_id
-- joins: appid to account; day to calendar
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.answer (
    -- Which endpoint answered
    -- 中文：数据来源接口
    dataset,
    {{ the.appid }},
    {{ the.account_name }},
    -- The day asked for (Beijing): a publication day or, where the dataset has these, a statistics
    -- day
    -- 中文：所请求的日期（北京时间）：发布日，或按统计日请求的接口的统计日
    day,
    -- Key of the answer
    -- 中文：应答编号
    raw_response_id,
    -- SHA-256 of its bytes, in hexadecimal
    -- 中文：应答内容的 SHA-256
    body_sha256,
    -- When it was first fetched
    -- 中文：首次获取时间
    fetched_at,
    -- When the same bytes were last fetched with no other answer in between
    -- 中文：最近一次获取到相同内容的时间
    last_seen_at
) AS
SELECT
    answer.dataset,
    answer.appid,
    account.name AS account_name,
    answer.day,
    answer.raw_response_id,
    encode(answer.body_sha256, 'hex') AS body_sha256,
    answer.fetched_at,
    answer.last_seen_at
FROM weixin.raw_response AS answer
LEFT JOIN weixin.dim_account AS account
    ON answer.appid = account.appid
