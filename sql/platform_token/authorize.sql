-- Accounts that have authorised the platform for the first time, or anew: their tokens of before
-- are no longer good.
INSERT INTO weixin.platform_token AS known (
    component_appid, appid, refresh_token, authorized_at, first_seen_at
)
SELECT
    :component_appid,
    listed.appid,
    listed.refresh_token,
    listed.authorized_at,
    :seen_at
FROM jsonb_to_recordset(cast(:accounts AS jsonb)) AS listed (
        appid text, refresh_token text, authorized_at timestamptz
    )
ON CONFLICT (component_appid, appid) DO UPDATE SET
    refresh_token = excluded.refresh_token,
    authorized_at = excluded.authorized_at,
    access_token = NULL,
    expires_at = NULL,
    withdrawn_at = NULL
WHERE known.authorized_at < excluded.authorized_at OR known.withdrawn_at IS NOT NULL
