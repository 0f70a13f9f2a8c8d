-- Open incidents some of whose days are well: one row each, with the days that are left.
UPDATE weixin.incident
SET publication_dates = narrowed.publication_dates
FROM jsonb_to_recordset(cast(:incidents AS jsonb)) AS narrowed (
        incident_id bigint,
        publication_dates date[]
    )
WHERE incident.incident_id = narrowed.incident_id
