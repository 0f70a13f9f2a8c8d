-- What decides which days are due: one row per account and day that is not final, asked for or
-- not, from the account's own first day on; per day of the present window, final or not; and, for
-- a daily run, however old, per day that has a ready answer and is neither final nor resting.
SELECT
    concerned.appid,
    cast(day.publication_date AS date) AS publication_date,
    coalesce(coverage.is_final, FALSE) AS is_final,
    coalesce(coverage.is_resting, FALSE) AS is_resting,
    coalesce(coverage.article_count > 0, FALSE) AS lists_articles,
    coverage.ready_at,
    coverage.attempt_state,
    coverage.error_code
FROM unnest(
        cast(:appids AS text[]),
        cast(:first_dates AS date[])
    ) AS concerned (appid, first_date)
CROSS JOIN
    LATERAL (
        SELECT day.publication_date
        FROM
            generate_series(
                concerned.first_date, cast(:last_date AS date), interval '1 day'
            ) AS day (publication_date)
        UNION ALL
        SELECT earlier.publication_date
        FROM weixin.coverage AS earlier
        WHERE
            :is_daily
            AND earlier.dataset = :dataset
            AND earlier.appid = concerned.appid
            AND earlier.publication_date < concerned.first_date
            AND NOT earlier.is_final
            AND NOT earlier.is_resting
            AND earlier.ready_at IS NOT NULL
    ) AS day
LEFT JOIN weixin.coverage
    ON
        coverage.dataset = :dataset
        AND concerned.appid = coverage.appid
        AND cast(day.publication_date AS date) = coverage.publication_date
WHERE
    NOT coalesce(coverage.is_final, FALSE)
    OR day.publication_date >= cast(:window_first_date AS date)
