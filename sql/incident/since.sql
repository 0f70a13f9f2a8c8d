-- What is wrong, and what was wrong until lately: one row per open incident, and per one that was
-- closed since a time. Open ones first, the newest on top.
{% from "incident/macros.jinja" import columns %}
SELECT
    {{ columns() }}
FROM weixin.incident
WHERE
    dataset = any(:datasets)
    AND (closed_at IS NULL OR closed_at >= :closed_since)
ORDER BY closed_at DESC NULLS FIRST, opened_at DESC, incident_id DESC
LIMIT :most
