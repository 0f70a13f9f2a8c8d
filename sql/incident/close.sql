-- Incidents that are over: one row each. No message tells the end of those that are not told.
UPDATE weixin.incident
SET
    closed_at = :now,
    closing_told_at = CASE WHEN NOT is_over.is_told THEN cast(:now AS timestamptz) END
FROM unnest(cast(:incident_ids AS bigint[]), cast(:are_told AS boolean[])) AS is_over (
        incident_id, is_told
    )
WHERE incident.incident_id = is_over.incident_id
