-- Return the first day that daily runs collect: one row per account that a daily run has planned.
SELECT
    appid,
    since_date
FROM weixin.collected_since
WHERE dataset = :dataset AND appid = any(:appids)
