-- What was asked for, did not come in, and is out of reach of daily runs: one row per account and
-- publication day before the account's first day of that reach. Not what somebody said is not
-- wanted, if nobody asked for it since; nor what had a ready answer, which daily runs ask for
-- however old.
SELECT
    coverage.appid,
    coverage.publication_date,
    coverage.data_state,
    coverage.fetched_at,
    coverage.ready_at,
    coverage.is_final,
    coverage.is_resting,
    coverage.is_provisional,
    coverage.attempt_state,
    coverage.attempted_at,
    coverage.next_attempt_at,
    coverage.error_kind,
    coverage.error_code,
    coverage.error,
    coverage.cure
FROM unnest(
        cast(:appids AS text[]),
        cast(:first_dates AS date[])
    ) AS reach (appid, first_date)
INNER JOIN weixin.coverage
    ON
        reach.appid = coverage.appid
        AND coverage.dataset = :dataset
        AND reach.first_date > coverage.publication_date
WHERE
    NOT coverage.is_final
    AND coverage.attempt_state IN ('failed', 'not_ready')
    -- an endpoint that is offline has an incident of its own
    AND coverage.error_code IS DISTINCT FROM 47009
    AND coverage.ready_at IS NULL
    AND NOT EXISTS (
        SELECT
        FROM weixin.unwanted_range AS unwanted
        WHERE
            unwanted.dataset = coverage.dataset
            AND unwanted.appid = coverage.appid
            AND coverage.publication_date BETWEEN unwanted.begin_date AND unwanted.end_date
            AND unwanted.said_at > coverage.attempted_at
    )
