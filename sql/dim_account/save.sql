-- Save the accounts that a run collects: one row each, marked as active.
INSERT INTO weixin.dim_account AS account (
    appid, name, conn_id, is_active, first_seen_at
)
SELECT
    appid,
    name,
    conn_id,
    TRUE,
    :seen_at
FROM jsonb_to_recordset(cast(:accounts AS jsonb)) AS planned (
        appid text, name text, conn_id text
    )
ON CONFLICT (appid) DO UPDATE SET
    name = excluded.name,
    conn_id = excluded.conn_id,
    is_active = TRUE
