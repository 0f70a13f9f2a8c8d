-- What nobody was told yet: one row per incident that began, has news, or is over. They are locked
-- until they are told; what another process is telling now is left to it.
{% from "incident/macros.jinja" import columns, untold_since %}
SELECT
    {{ columns() }}
FROM weixin.incident
WHERE
    {{ untold_since() }} IS NOT NULL
ORDER BY incident_id
FOR UPDATE SKIP LOCKED
