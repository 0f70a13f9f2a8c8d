-- Return and lock the incidents that need a notification: one row per incident that began, changed
-- or ended since the last one. An incident that ended before anybody was notified is left out,
-- unless it is momentary.
{% from "incident/macros.jinja" import columns %}
SELECT
    {{ columns() }}
FROM weixin.incident
WHERE
    CASE
        WHEN told_at IS NOT NULL AND closed_at IS NOT NULL THEN closing_told_at IS NULL
        ELSE coalesce(told_at < news_at, TRUE)
            AND coalesce(closed_at = opened_at, TRUE)
    END
ORDER BY incident_id
FOR UPDATE SKIP LOCKED
