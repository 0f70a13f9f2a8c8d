-- Where COPY puts the rows of the answers being loaded, as the fact holds them: one row per key.
-- And what becomes of each that the fact lacks or holds with other values, with what the fact held.
-- Both are made once a session, and never analysed: the load's plan must not depend on it.
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{{ fact }} (
    LIKE weixin.{{ fact }}
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS different_{{ fact }} ON COMMIT DELETE ROWS AS
SELECT
    {% for column in key + place %}
    {{ column }},
    {% endfor %}
    {% for metric in metrics %}
    {{ metric }},
    {{ metric }} AS old_{{ metric }},
    {% endfor %}
    extra,
    extra AS old_extra,
    raw_response_id,
    fetched_at,
    loaded_at,
    changed_at,
    {% for column in place %}
    {{ column }} AS old_{{ column }},
    {% endfor %}
    raw_response_id AS old_raw_response_id,
    fetched_at AS old_fetched_at,
    changed_at AS old_changed_at,
    0 AS absent,
    TRUE AS is_new,
    TRUE AS is_changed
FROM weixin.{{ fact }}
WITH NO DATA
