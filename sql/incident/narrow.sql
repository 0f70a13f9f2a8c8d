-- Open incidents some of whose days are well: one row each, with the days that are left.
UPDATE weixin.incident
SET days = narrowed.days
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS narrowed (
        incident_id bigint,
        days date[]
    )
WHERE incident.incident_id = narrowed.incident_id
