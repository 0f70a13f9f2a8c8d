-- Since when daily runs collect some accounts: one row per account that they do.
SELECT
    appid,
    since_date
FROM weixin.collected_since
WHERE dataset = :dataset AND appid = any(:appids)
