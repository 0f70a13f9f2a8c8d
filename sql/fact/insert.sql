-- Rows that the fact lacks: one row each. Where a writer other than this pipeline was quicker, the
-- newer values stand; what that writer put there for a moment is in no history.
INSERT INTO weixin.{{ fact }} AS fact (
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
    changed_at
)
SELECT
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
    changed_at
FROM different_{{ fact }}
WHERE is_new
ON CONFLICT ({{ key | join(", ") }}) DO UPDATE
    SET
        {% for column in place %}
        {{ column }} = excluded.{{ column }},
        {% endfor %}
        {% for metric in metrics %}
        {{ metric }} = coalesce(excluded.{{ metric }}, fact.{{ metric }}),
        {% endfor %}
        extra = coalesce(fact.extra || excluded.extra, excluded.extra, fact.extra),
        raw_response_id = excluded.raw_response_id,
        fetched_at = excluded.fetched_at,
        changed_at = greatest(excluded.changed_at, fact.changed_at)
