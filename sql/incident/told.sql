-- Incidents whose opening, or end, a message has told.
UPDATE weixin.incident
SET
    told_at = coalesce(told_at, :told_at),
    closing_told_at = CASE
        WHEN closed_at IS NOT NULL THEN coalesce(closing_told_at, :told_at)
    END
WHERE incident_id = any(:incident_ids)
