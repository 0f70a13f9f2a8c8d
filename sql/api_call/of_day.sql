-- Return the calls of an endpoint that all runs made on a day in Beijing: one row per account.
SELECT
    appid,
    calls
FROM weixin.api_call
WHERE appid = any(:appids) AND endpoint = :endpoint AND beijing_date = :today
