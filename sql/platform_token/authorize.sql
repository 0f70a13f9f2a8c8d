-- Accounts that have authorised the platform for the first time, or anew: their tokens of before
-- are no longer good.
INSERT INTO weixin.platform_token (component_appid, appid, refresh_token, authorized_at)
SELECT
    :component_appid,
    listed.appid,
    listed.refresh_token,
    to_timestamp(listed.auth_time) AS authorized_at
FROM jsonb_to_recordset(cast(:accounts AS jsonb)) AS listed (
        appid text, refresh_token text, auth_time double precision
    )
LEFT JOIN weixin.platform_token AS known
    ON listed.appid = known.appid AND known.component_appid = :component_appid
WHERE known.authorized_at IS NULL OR known.authorized_at < to_timestamp(listed.auth_time)
ON CONFLICT (component_appid, appid) DO UPDATE SET
    refresh_token = excluded.refresh_token,
    authorized_at = excluded.authorized_at,
    access_token = NULL,
    expires_at = NULL
