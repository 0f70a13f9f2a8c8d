-- Fetch time of the newest loaded answer of some pairs of an account: one row per day that has one.
SELECT
    publication_date,
    fetched_at
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = :appid
    AND publication_date = any(:publication_dates)
    AND fetched_at IS NOT NULL
