-- Save a new access token with its expiry, and the refresh token that WeChat returned with the
-- access token.
UPDATE weixin.platform_token
SET
    access_token = :access_token,
    refresh_token = :refresh_token,
    expires_at = clock_timestamp() + :expires_in * interval '1 second'
WHERE component_appid = :component_appid AND appid = :appid
