-- Return a stored token with its remaining seconds by the server's clock. An unknown account has no
-- row.
SELECT
    access_token,
    refresh_token,
    extract(EPOCH FROM expires_at - clock_timestamp()) AS seconds_left
FROM weixin.platform_token
WHERE component_appid = :component_appid AND appid = :appid
