-- Insert the staged rows of articles that no answer listed before. The fact cannot hold a row of
-- them, so nothing is compared.
INSERT INTO weixin.{{ fact }} (
    {{ columns | join(",\n    ") }},
    changed_at
)
SELECT
    {{ columns | join(",\n    ") }},
    :changed_at
FROM staged_{{ fact }}
