-- What is loaded of some pairs: one row per pair that has an answer.
SELECT
    coverage.appid,
    coverage.publication_date,
    coverage.fetched_at,
    coverage.data_state,
    coverage.row_count,
    coverage.article_count,
    coverage.through_date,
    coverage.ready_at,
    coverage.is_final,
    coverage.is_provisional,
    coverage.attempt_state
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS pair (dataset, appid, publication_date)
INNER JOIN weixin.coverage
    ON
        pair.dataset = coverage.dataset
        AND pair.appid = coverage.appid
        AND pair.publication_date = coverage.publication_date
WHERE coverage.fetched_at IS NOT NULL
