-- The same, once no other worker renews it: until the end of the transaction none does.
SELECT
    access_token,
    refresh_token,
    extract(EPOCH FROM expires_at - clock_timestamp()) AS seconds_left
FROM weixin.platform_token
WHERE component_appid = :component_appid AND appid = :appid
FOR UPDATE
