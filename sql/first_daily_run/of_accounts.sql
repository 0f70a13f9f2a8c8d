-- Since when daily runs of a dataset collect some accounts: one row per account that they do.
SELECT
    appid,
    first_daily_date
FROM weixin.first_daily_run
WHERE dataset = :dataset AND appid = any(:appids)
