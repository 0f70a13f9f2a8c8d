-- What nobody was told yet: one row per incident that opened, or is over. They are locked until
-- they are told; what another process is telling now is left to it. What was over before anybody
-- was told that it had begun is not told, unless it is of a kind that is told though it is over;
-- nor is what was over long ago.
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
    closing_told_at
FROM weixin.incident
WHERE
    -- as the index has it, which the planner would not find else
    (told_at IS NULL OR (closed_at IS NOT NULL AND closing_told_at IS NULL))
    AND (told_at IS NOT NULL OR closed_at IS NULL OR kind = any(:told_though_over))
    AND (closed_at IS NULL OR closed_at >= :closed_since)
ORDER BY incident_id
FOR UPDATE SKIP LOCKED
