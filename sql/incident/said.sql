-- Return the incidents that people were notified of since an instant: one row per incident, in the
-- order of notification.
{% from "incident/macros.jinja" import columns %}
SELECT
    {{ columns() }},
    coalesce(closing_told_at != closed_at, FALSE) AS is_over
FROM weixin.incident
WHERE told_at >= news_at AND greatest(told_at, nullif(closing_told_at, closed_at)) >= :since
ORDER BY greatest(told_at, nullif(closing_told_at, closed_at))
