-- What nobody was told yet: one row per incident that began, has news, or is over; not what ended
-- before people knew of it, unless it is momentary. Rows are locked until they are told.
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
