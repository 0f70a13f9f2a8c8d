-- Rebuilt rows whose values stand as they are, but which another answer was the last to change: one
-- row each. changed_at says when values changed, so it stays. As no value changed, the history gets
-- no row: as of an earlier instant, too, the row names this answer.
UPDATE weixin.{{ fact }} AS fact
SET
    raw_response_id = rebuilt.raw_response_id,
    fetched_at = rebuilt.fetched_at
FROM different_{{ fact }} AS rebuilt
WHERE
    NOT rebuilt.is_new
    AND NOT rebuilt.is_changed
    {% for column in key %}
    AND fact.{{ column }} = rebuilt.{{ column }}
    {% endfor %}
