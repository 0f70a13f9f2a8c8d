-- What nobody was told yet: one row per incident that began, has news, or is over. They are locked
-- until they are told; what another process is telling now is left to it. What was over long ago is
-- not told.
{% from "incident/macros.jinja" import columns, is_untold %}
SELECT
    {{ columns() }}
FROM weixin.incident
WHERE
    {{ is_untold() }}
    AND (closed_at IS NULL OR closed_at >= :closed_since)
ORDER BY incident_id
FOR UPDATE SKIP LOCKED
