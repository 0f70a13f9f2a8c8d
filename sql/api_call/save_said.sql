-- What WeChat said of some accounts' quota of an endpoint: one row per account and day in Beijing.
-- What it said last stands.
INSERT INTO weixin.api_call AS known (
    appid, endpoint, beijing_date, quota_limit, quota_left, quota_asked_at
)
SELECT
    appid,
    :endpoint,
    beijing_date,
    quota_limit,
    quota_left,
    asked_at
FROM jsonb_to_recordset(cast(:said AS jsonb)) AS said (
        appid text,
        beijing_date date,
        quota_limit integer,
        quota_left integer,
        asked_at timestamptz
    )
ON CONFLICT (appid, endpoint, beijing_date) DO UPDATE SET
    quota_limit = excluded.quota_limit,
    quota_left = excluded.quota_left,
    quota_asked_at = excluded.quota_asked_at
WHERE known.quota_asked_at IS NULL OR known.quota_asked_at <= excluded.quota_asked_at
