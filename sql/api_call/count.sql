-- Calls that were made: one row per account and day in Beijing, added to those counted before. What
-- WeChat said to be left becomes less by them; nothing is left after a 45009 (refused_at).
INSERT INTO weixin.api_call AS known (
    appid, endpoint, beijing_date, calls, quota_left, quota_asked_at
)
SELECT
    appid,
    :endpoint,
    beijing_date,
    sum(calls),
    CASE WHEN max(refused_at) IS NOT NULL THEN 0 END,
    max(refused_at)
FROM jsonb_to_recordset(cast(:made AS jsonb)) AS made (
        appid text, beijing_date date, calls integer, refused_at timestamptz
    )
GROUP BY appid, beijing_date
ORDER BY appid, beijing_date
ON CONFLICT (appid, endpoint, beijing_date) DO UPDATE SET
    calls = known.calls + excluded.calls,
    quota_left = coalesce(
        excluded.quota_left,
        known.quota_left - least(known.quota_left, excluded.calls)
    ),
    quota_asked_at = coalesce(excluded.quota_asked_at, known.quota_asked_at)
