-- Days of some accounts that are settled, from a day on: one row per account that has any.
SELECT
    coverage.appid,
    array_agg(coverage.day) AS days
FROM unnest(cast(:datasets AS text[]), cast(:appids AS text[])) AS account (dataset, appid)
INNER JOIN weixin.coverage
    ON
        account.dataset = coverage.dataset
        AND account.appid = coverage.appid
        AND coverage.day >= :first_date
        AND coverage.settled IS NOT NULL
GROUP BY coverage.appid
