-- Accounts that an installation lists: one row each.
INSERT INTO weixin.account_list (installation, appid, conn_id, listed_at)
SELECT
    :installation,
    appid,
    conn_id,
    :listed_at
FROM jsonb_to_recordset(cast(:listed AS jsonb)) AS planned (appid text, conn_id text)
ON CONFLICT (installation, appid) DO UPDATE SET
    conn_id = excluded.conn_id,
    listed_at = excluded.listed_at
