-- What is open in some datasets, and what was told of any once and for all: one row per incident.
{% from "incident/macros.jinja" import columns %}
SELECT
    {{ columns() }}
FROM weixin.incident
WHERE (dataset = any(:datasets) AND closed_at IS NULL) OR dedup_key = any(:momentary)
