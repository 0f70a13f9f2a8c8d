-- Staged rows of articles that were never listed: the fact can hold none of them.
INSERT INTO weixin.{{ fact }} (
    {{ columns | join(",\n    ") }},
    changed_at
)
SELECT
    {{ columns | join(",\n    ") }},
    :changed_at
FROM staged_{{ fact }}
