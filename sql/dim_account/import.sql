-- Add the accounts of imported answers that no run has planned: one row each. Their AppID stands
-- for their name until a run plans them.
INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
SELECT
    appid,
    appid AS name,
    '',
    FALSE,
    :seen_at
FROM unnest(cast(:appids AS text[])) AS account (appid)
ON CONFLICT (appid) DO NOTHING
