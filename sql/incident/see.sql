-- Open incidents that are met again: one row each, as they are now. What is news is told once more.
UPDATE weixin.incident
SET
    account = met.account,
    conn_id = met.conn_id,
    cause = met.cause,
    cure = met.cure,
    days = met.days,
    error_code = met.errcode,
    run_id = :run_id,
    seen_at = :seen_at,
    told_at = CASE WHEN NOT met.has_news THEN incident.told_at END
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS met (
        incident_id bigint,
        account text,
        conn_id text,
        cause text,
        cure text,
        days date[],
        errcode integer,
        has_news boolean
    )
WHERE incident.incident_id = met.incident_id
