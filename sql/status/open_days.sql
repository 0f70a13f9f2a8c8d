-- What daily runs still ask for: one row per account and publication day within their reach that is
-- not final, asked for or not; and per day of the present window, final or not.
SELECT
    reach.appid,
    cast(day.publication_date AS date) AS publication_date,
    coverage.data_state,
    coverage.fetched_at,
    coverage.ready_at,
    coalesce(coverage.is_final, FALSE) AS is_final,
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
CROSS JOIN
    LATERAL generate_series(
        reach.first_date, cast(:last_date AS date), interval '1 day'
    ) AS day (publication_date)
LEFT JOIN weixin.coverage
    ON
        coverage.dataset = :dataset
        AND reach.appid = coverage.appid
        AND cast(day.publication_date AS date) = coverage.publication_date
WHERE
    NOT coalesce(coverage.is_final, FALSE)
    OR day.publication_date >= cast(:window_first_date AS date)
