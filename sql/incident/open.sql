-- Incidents that are met for the first time: one row each. Those that are over as soon as they are
-- met are closed at once, and no message tells their end.
INSERT INTO weixin.incident (
    dataset,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    error_code,
    run_id,
    opened_at,
    seen_at,
    closed_at,
    closing_told_at
)
SELECT
    :dataset,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    errcode,
    :run_id,
    :seen_at,
    :seen_at,
    CASE WHEN is_over THEN cast(:seen_at AS timestamptz) END,
    CASE WHEN is_over THEN cast(:seen_at AS timestamptz) END
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS met (
        kind text,
        appid text,
        subject text,
        account text,
        conn_id text,
        cause text,
        cure text,
        days date[],
        errcode integer,
        is_over boolean
    )
