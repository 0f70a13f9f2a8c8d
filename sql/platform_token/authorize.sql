-- Save the refresh tokens of accounts that have authorised the platform for the first time or
-- again. The previous access token of each is deleted, because WeChat no longer accepts the token.
INSERT INTO weixin.platform_token (component_appid, appid, refresh_token, authorized_at)
SELECT
    :component_appid,
    authorized.appid,
    authorized.refresh_token,
    to_timestamp(authorized.auth_time) AS authorized_at
FROM jsonb_to_recordset(cast(:accounts AS jsonb)) AS authorized (
        appid text, refresh_token text, auth_time double precision
    )
LEFT JOIN weixin.platform_token AS token
    ON authorized.appid = token.appid AND token.component_appid = :component_appid
WHERE token.authorized_at IS NULL OR token.authorized_at < to_timestamp(authorized.auth_time)
ON CONFLICT (component_appid, appid) DO UPDATE SET
    refresh_token = excluded.refresh_token,
    authorized_at = excluded.authorized_at,
    access_token = NULL,
    expires_at = NULL
