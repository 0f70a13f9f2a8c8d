-- Staged rows of pairs that were never loaded.
INSERT INTO weixin.{{ fact }} (
    {{ columns | join(",\n    ") }},
    changed_at
)
SELECT
    {{ columns | join(",\n    ") }},
    :changed_at
FROM staged_{{ fact }}
