-- Which of some days somebody said are not wanted: one row per account and publication day that was
-- not asked for since.
SELECT DISTINCT
    day.appid,
    day.publication_date
FROM unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS day (appid, publication_date)
INNER JOIN weixin.unwanted_range AS unwanted
    ON
        day.appid = unwanted.appid
        AND unwanted.dataset = :dataset
        AND day.publication_date BETWEEN unwanted.begin_date AND unwanted.end_date
LEFT JOIN weixin.coverage
    ON
        day.appid = coverage.appid
        AND day.publication_date = coverage.publication_date
        AND coverage.dataset = :dataset
WHERE coverage.attempted_at IS NULL OR coverage.attempted_at < unwanted.said_at
