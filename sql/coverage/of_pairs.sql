-- What is stored of some pairs: one row per pair that was ever asked for.
SELECT
    coverage.appid,
    coverage.day,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM unnest(
        cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
    ) AS pair (dataset, appid, day)
INNER JOIN weixin.coverage
    ON
        pair.dataset = coverage.dataset
        AND pair.appid = coverage.appid
        AND pair.day = coverage.day
