-- Incidents that are over: one row each. No message tells the end of those that are not told.
UPDATE weixin.incident
SET
    closed_at = :now,
    closing_told_at = CASE WHEN NOT is_over.is_told THEN cast(:now AS timestamptz) END
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS is_over (
        incident_id bigint,
        is_told boolean
    )
WHERE incident.incident_id = is_over.incident_id
