-- Mark incidents as notified: one row per incident. A closed incident's end is marked, an open
-- incident's beginning or change.
UPDATE weixin.incident
SET
    told_at = CASE WHEN told_at IS NULL OR closed_at IS NULL THEN :told_at ELSE told_at END,
    closing_told_at = CASE WHEN closed_at IS NOT NULL THEN coalesce(closing_told_at, :told_at) END
WHERE incident_id = any(:incident_ids)
