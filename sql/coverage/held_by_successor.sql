-- Of some pairs, how many days of each account there is data of, whether one before yesterday has
-- none, and whether daily runs collect it: one row per account.
SELECT
    wanted.appid,
    count(coverage.data_state) AS day_count,
    bool_or(
        coverage.data_state IS NULL AND wanted.publication_date < cast(:yesterday AS date)
    ) AS is_behind,
    bool_or(collected.appid IS NOT NULL) AS is_collected
FROM
    unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS wanted (dataset, appid, publication_date)
LEFT JOIN weixin.coverage
    ON
        wanted.dataset = coverage.dataset
        AND wanted.appid = coverage.appid
        AND wanted.publication_date = coverage.publication_date
LEFT JOIN weixin.first_daily_run AS collected
    ON wanted.dataset = collected.dataset AND wanted.appid = collected.appid
GROUP BY wanted.appid
