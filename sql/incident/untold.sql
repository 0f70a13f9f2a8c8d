-- What nobody was told yet: one row per incident that opened, or is over. They are locked until
-- they are told; what another process is telling now is left to it. What was over long ago without
-- anybody having been told is not news any more.
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
    publication_dates,
    error_code,
    run_id,
    opened_at,
    closed_at,
    told_at,
    closing_told_at,
    TRUE AS is_collected,
    FALSE AS is_answered_since
FROM weixin.incident
WHERE
    (told_at IS NULL OR (closed_at IS NOT NULL AND closing_told_at IS NULL))
    AND (closed_at IS NULL OR closed_at >= :closed_since)
ORDER BY incident_id
FOR UPDATE SKIP LOCKED
