-- Incidents that are over. Of the silent ones no message tells the end.
UPDATE weixin.incident
SET
    closed_at = :closed_at,
    closing_told_at = CASE
        WHEN incident_id = any(:silent_ids) THEN cast(:closed_at AS timestamptz)
    END
WHERE incident_id = any(:incident_ids)
