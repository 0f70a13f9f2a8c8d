-- A token as it is now, by the server's clock; no row when nothing is known of the account.
SELECT
    access_token,
    refresh_token,
    extract(EPOCH FROM expires_at - clock_timestamp()) AS seconds_left
FROM weixin.platform_token
WHERE component_appid = :component_appid AND appid = :appid
