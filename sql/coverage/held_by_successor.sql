-- Of some pairs, how many days of each account there is data of: one row per account.
SELECT
    coverage.appid,
    count(*) AS day_count
FROM weixin.coverage
INNER JOIN
    unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS wanted (dataset, appid, publication_date)
    ON
        coverage.dataset = wanted.dataset
        AND coverage.appid = wanted.appid
        AND coverage.publication_date = wanted.publication_date
WHERE coverage.data_state IS NOT NULL
GROUP BY coverage.appid
