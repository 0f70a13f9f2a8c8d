-- Accounts whose endpoint WeChat took offline: one row each, with when it last said so.
SELECT
    appid,
    last_asked_at
FROM weixin.retired
WHERE dataset = :dataset AND appid = any(:appids)
