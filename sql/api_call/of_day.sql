-- Calls of an endpoint that all runs made for some accounts on a day in Beijing: one row each.
SELECT
    appid,
    calls
FROM weixin.api_call
WHERE appid = any(:appids) AND endpoint = :endpoint AND beijing_date = :today
