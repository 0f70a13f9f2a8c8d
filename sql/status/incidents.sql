-- What is wrong, and what was wrong until lately: one row per open incident, and per one that was
-- closed since a time. Open ones first, the newest on top.
SELECT
    incident_id,
    dataset,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    error_code AS errcode,
    run_id,
    opened_at,
    seen_at,
    closed_at,
    -- since when a message is due that nobody got: see incident/untold.sql
    CASE
        WHEN closed_at < :stale_since THEN NULL
        WHEN told_at IS NULL AND kind = any(:told_though_over) THEN seen_at -- news is told again
        WHEN told_at IS NULL AND closed_at IS NOT NULL THEN NULL
        WHEN told_at IS NULL THEN opened_at
        WHEN closing_told_at IS NULL THEN closed_at
    END AS untold_since
FROM weixin.incident
WHERE
    dataset = any(:datasets)
    AND (closed_at IS NULL OR closed_at >= :closed_since)
ORDER BY closed_at DESC NULLS FIRST, opened_at DESC, incident_id DESC
LIMIT :most
