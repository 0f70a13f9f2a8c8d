-- What the calendar's states are judged by: one row per account and day ever asked for.
SELECT
    appid,
    day,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = any(:appids)
    AND day BETWEEN :first_date AND :last_date
