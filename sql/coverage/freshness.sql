-- How old the figures are: one row per account of a run, with the hours since the end of its newest
-- publication day that is in, in Beijing; since the end of :since where none is.
SELECT
    newest.appid,
    round(
        extract(
            EPOCH FROM cast(:now AS timestamptz)
            - cast(newest.day + 1 AS timestamp) AT TIME ZONE 'Asia/Shanghai'
        ) / 3600,
        1
    ) AS hours
FROM (
    SELECT
        wanted.appid,
        coalesce(max(coverage.day), cast(:since AS date)) AS day
    FROM unnest(cast(:appids AS text[])) AS wanted (appid)
    LEFT JOIN weixin.coverage
        ON
            coverage.dataset = :dataset
            AND wanted.appid = coverage.appid
            AND coverage.day >= :since
            AND coverage.ready_at IS NOT NULL
    GROUP BY wanted.appid
) AS newest
