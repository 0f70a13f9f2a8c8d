-- Of some accounts and days in Beijing, those on which an answer lists an article: one row each.
-- The newest answer of each pair counts.
SELECT
    answered.appid,
    answered.beijing_date
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:beijing_dates AS date[])
    ) AS answered (dataset, appid, beijing_date)
CROSS JOIN
    LATERAL (
        SELECT coverage.appid
        FROM weixin.coverage
        WHERE
            coverage.dataset = answered.dataset
            AND coverage.appid = answered.appid
            AND coverage.article_count > 0
            AND coverage.fetched_at
            >= cast(answered.beijing_date AS timestamp) AT TIME ZONE 'Asia/Shanghai'
            AND coverage.fetched_at
            < cast(answered.beijing_date + 1 AS timestamp) AT TIME ZONE 'Asia/Shanghai'
        ORDER BY coverage.publication_date DESC
        LIMIT 1 -- account by account
    ) AS listing
