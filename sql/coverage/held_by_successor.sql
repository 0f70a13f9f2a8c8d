-- Of some pairs, how many days of each account another dataset has data of: one row per account.
SELECT
    coverage.appid,
    count(*) AS day_count
FROM weixin.coverage
INNER JOIN
    unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS wanted (appid, publication_date)
    ON
        coverage.appid = wanted.appid
        AND coverage.publication_date = wanted.publication_date
WHERE coverage.dataset = :successor AND coverage.data_state IS NOT NULL
GROUP BY coverage.appid
