-- Open incidents about days that are not wanted: one row each. They are about the other days from
-- now on; without any they are over, and no message tells of it.
WITH wanted AS (
    SELECT
        incident.incident_id,
        array_agg(day.publication_date) FILTER (
            WHERE day.publication_date NOT BETWEEN :begin_date AND :end_date
        ) AS publication_dates
    FROM weixin.incident
    CROSS JOIN unnest(incident.publication_dates) AS day (publication_date)
    WHERE
        incident.dataset = :dataset
        AND incident.closed_at IS NULL
        AND incident.appid = any(:appids)
        AND incident.kind = any(:kinds)
    GROUP BY incident.incident_id
)

UPDATE weixin.incident
SET
    publication_dates = coalesce(wanted.publication_dates, incident.publication_dates),
    closed_at = CASE
        WHEN wanted.publication_dates IS NULL THEN cast(:said_at AS timestamptz)
    END,
    closing_told_at = CASE
        WHEN wanted.publication_dates IS NULL THEN cast(:said_at AS timestamptz)
    END
FROM wanted
WHERE incident.incident_id = wanted.incident_id
