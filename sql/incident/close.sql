-- Close incidents: one row each. An end that needs no notification is marked as notified at once.
UPDATE weixin.incident
SET
    closed_at = :now,
    closing_told_at = CASE WHEN NOT ended.is_announced THEN cast(:now AS timestamptz) END
FROM unnest(cast(:incident_ids AS bigint[]), cast(:are_told AS boolean[])) AS ended (
        incident_id, is_announced
    )
WHERE incident.incident_id = ended.incident_id
