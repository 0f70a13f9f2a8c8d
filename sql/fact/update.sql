-- Rows whose values have changed: one row each. Unchanged ones are neither written nor locked. For
-- the publication day see follow.sql.
UPDATE weixin.{{ fact }} AS fact
SET
    {% for metric in metrics %}
    {{ metric }} = changed.{{ metric }},
    {% endfor %}
    extra = changed.extra,
    raw_response_id = changed.raw_response_id,
    fetched_at = changed.fetched_at,
    changed_at = changed.changed_at
FROM different_{{ fact }} AS changed
WHERE
    changed.is_changed
    AND NOT changed.is_new
    {% for column in key %}
    AND fact.{{ column }} = changed.{{ column }}
    {% endfor %}
