-- Staged rows of pairs that were never loaded: one row per pair, with how many the fact lacked.
WITH inserted AS (
    INSERT INTO weixin.{{ fact }} (
        {{ columns | join(",\n        ") }},
        changed_at
    )
    SELECT
        {{ columns | join(",\n        ") }},
        :changed_at
    FROM staged_{{ fact }}
    ON CONFLICT ({{ key | join(", ") }}) DO NOTHING
    RETURNING appid, {{ day }}
)

SELECT
    appid,
    {{ day }} AS day,
    count(*) AS inserted,
    0 AS updated
FROM inserted
GROUP BY appid, {{ day }}
