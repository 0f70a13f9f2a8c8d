-- Staged rows that the fact lacks: one row per pair, with how many.
WITH inserted AS (
    INSERT INTO weixin.{{ fact }} (
        {% for column in key + place %}
        {{ column }},
        {% endfor %}
        {% for metric in metrics %}
        {{ metric }},
        {% endfor %}
        extra,
        raw_response_id,
        fetched_at,
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
        :changed_at
    FROM staged_{{ fact }}
    ON CONFLICT ({{ key | join(", ") }}) DO NOTHING
    RETURNING appid, {{ day }}
)

SELECT
    appid,
    {{ day }} AS day,
    count(*) AS row_count
FROM inserted
GROUP BY appid, {{ day }}
