-- Of some pairs, how many days of each account there are and how many there is data of, whether one
-- before yesterday has none, and whether daily runs collect it: one row per account.
SELECT
    wanted.appid,
    count(*) AS day_count,
    count(coverage.fetched_at) AS held_count,
    bool_or(
        coverage.fetched_at IS NULL AND wanted.day < cast(:yesterday AS date)
    ) AS is_behind,
    bool_or(collected.appid IS NOT NULL) AS is_collected
FROM
    unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:days AS date[])
    ) AS wanted (dataset, appid, day)
LEFT JOIN weixin.coverage
    ON
        wanted.dataset = coverage.dataset
        AND wanted.appid = coverage.appid
        AND wanted.day = coverage.day
LEFT JOIN weixin.collected_since AS collected
    ON wanted.dataset = collected.dataset AND wanted.appid = collected.appid
GROUP BY wanted.appid
