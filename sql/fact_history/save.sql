-- Rows of the fact that are being replaced, as they were: one row each. A row whose values stand
-- leaves none when it only names another answer (`fact/attribute.sql`).
INSERT INTO weixin.{{ fact }}_history (
    {% for column in key + place %}
    {{ column }},
    {% endfor %}
    {% for metric in metrics %}
    {{ metric }},
    {% endfor %}
    extra,
    raw_response_id,
    fetched_at,
    loaded_at,
    changed_at,
    replaced_at,
    cause,
    changed_metrics
)
SELECT
    {% for column in key %}
    {{ column }},
    {% endfor %}
    {% for column in place %}
    old_{{ column }},
    {% endfor %}
    {% for metric in metrics %}
    old_{{ metric }},
    {% endfor %}
    old_extra,
    old_raw_response_id,
    old_fetched_at,
    loaded_at,
    old_changed_at,
    changed_at,
    :cause,
    array_remove(
        ARRAY[
            {% for metric in metrics %}
            CASE WHEN {{ metric }} IS DISTINCT FROM old_{{ metric }} THEN '{{ metric }}' END{{
                "," if not loop.last
            }}
            {% endfor %}
        ],
        NULL
    )
FROM different_{{ fact }}
WHERE is_changed AND NOT is_new
