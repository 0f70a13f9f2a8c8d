-- Of accounts none of whose due days lists an article, the day that shows whether WeChat is
-- silent: one row per account that has one. Of the pairs with a ready answer and a known article
-- that are not `due`, the one attempted longest ago.
SELECT
    silent.appid,
    witness.publication_date
FROM unnest(cast(:appids AS text[])) AS silent (appid)
CROSS JOIN
    LATERAL (
        SELECT coverage.publication_date
        FROM weixin.coverage
        WHERE
            coverage.dataset = :dataset
            AND coverage.appid = silent.appid
            AND coverage.ready_at IS NOT NULL
            AND coverage.data_state = 'loaded'
            AND NOT EXISTS (
                SELECT
                FROM unnest(
                        cast(:due_appids AS text[]),
                        cast(:due_dates AS date[])
                    ) AS due (appid, publication_date)
                WHERE
                    due.appid = silent.appid
                    AND due.publication_date = coverage.publication_date
            )
        ORDER BY coverage.attempted_at ASC NULLS FIRST, coverage.publication_date DESC
        LIMIT 1
    ) AS witness
