-- What earlier answers say of the lists of some pairs: one row per pair that was ever asked for.
SELECT
    coverage.appid,
    coverage.publication_date,
    coverage.list_sha256,
    coverage.list_since_date,
    coverage.list_changes,
    coverage.ready_at,
    coverage.is_resting,
    coverage.is_provisional
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
