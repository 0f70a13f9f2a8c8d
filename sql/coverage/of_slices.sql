-- Return the coverage of some slices: one row per slice that was ever requested.
SELECT
    coverage.appid,
    coverage.day,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM unnest(
        cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
    ) AS slice (dataset, appid, day)
INNER JOIN weixin.coverage
    ON
        slice.dataset = coverage.dataset
        AND slice.appid = coverage.appid
        AND slice.day = coverage.day
