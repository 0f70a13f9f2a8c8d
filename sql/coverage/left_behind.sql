-- The days of accounts that a dataset's daily runs have collected which are not final: one row per
-- account, with the days since a time that any run asked for.
SELECT
    daily.appid,
    array_remove(array_agg(coverage.publication_date), NULL) AS publication_dates
FROM weixin.first_daily_run AS daily
LEFT JOIN weixin.coverage
    ON
        daily.appid = coverage.appid
        AND daily.dataset = coverage.dataset
        AND coverage.publication_date >= :since
        AND NOT coverage.is_final
WHERE daily.dataset = :dataset AND daily.appid = any(:appids)
GROUP BY daily.appid
