-- What decides which days are due: one row per account and day that is not final, asked for or not,
-- from the account's own first day on; and per day of the present window, final or not.
SELECT
    concerned.appid,
    cast(day.publication_date AS date) AS publication_date,
    coalesce(coverage.is_final, FALSE) AS is_final,
    coverage.attempt_state,
    coverage.error_code,
    coverage.error
FROM unnest(
        cast(:appids AS text[]),
        cast(:first_dates AS date[])
    ) AS concerned (appid, first_date)
CROSS JOIN
    LATERAL generate_series(
        concerned.first_date, cast(:last_date AS date), interval '1 day'
    ) AS day (publication_date)
LEFT JOIN weixin.coverage
    ON
        coverage.dataset = :dataset
        AND concerned.appid = coverage.appid
        AND cast(day.publication_date AS date) = coverage.publication_date
WHERE
    NOT coalesce(coverage.is_final, FALSE)
    OR day.publication_date >= cast(:window_first_date AS date)
