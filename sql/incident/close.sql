-- Incidents that are over: one row each. No message tells the end of those that are not told, nor
-- of one with a final day that could not be asked for again: nothing was mended.
UPDATE weixin.incident
SET
    closed_at = :now,
    closing_told_at = CASE
        WHEN
            NOT is_over.is_told
            OR EXISTS (
                SELECT FROM weixin.coverage
                WHERE
                    coverage.appid = incident.appid
                    AND coverage.dataset = incident.dataset
                    AND coverage.day = any(incident.days)
                    AND coverage.settled = 'final'
                    AND coverage.error_kind IS NOT NULL
            )
            THEN cast(:now AS timestamptz)
    END
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS is_over (
        incident_id bigint,
        is_told boolean
    )
WHERE incident.incident_id = is_over.incident_id
