-- How fresh the figures are: one row per account of a run, with its newest publication day that is
-- in since a day.
SELECT
    wanted.appid,
    max(coverage.publication_date) AS publication_date
FROM unnest(cast(:appids AS text[])) AS wanted (appid)
LEFT JOIN weixin.coverage
    ON
        coverage.dataset = :dataset
        AND wanted.appid = coverage.appid
        AND coverage.publication_date >= :since
        AND coverage.ready_at IS NOT NULL
GROUP BY wanted.appid
