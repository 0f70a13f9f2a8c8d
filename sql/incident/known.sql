-- Return the open incidents of some datasets and the momentary incidents that were recorded before:
-- one row per incident.
{% from "incident/macros.jinja" import columns %}
SELECT
    {{ columns() }}
FROM weixin.incident
WHERE (dataset = any(:datasets) AND closed_at IS NULL) OR dedup_key = any(:momentary)
