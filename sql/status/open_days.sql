-- What daily runs still ask for: one row per account and publication day within their reach that is
-- not final, asked for or not.
-- Account by account: joined as a whole, every day ever asked for would be read.
SELECT
    reach.appid,
    day.publication_date,
    day.data_state,
    day.fetched_at,
    day.ready_at,
    day.is_final,
    day.is_resting,
    day.is_provisional,
    day.attempt_state,
    day.attempted_at,
    day.next_attempt_at,
    day.error_kind,
    day.error_code,
    day.error,
    day.cure
FROM unnest(
        cast(:appids AS text[]),
        cast(:first_dates AS date[])
    ) AS reach (appid, first_date)
CROSS JOIN
    LATERAL ( -- noqa: ST05
        WITH known AS MATERIALIZED (
            SELECT *
            FROM weixin.coverage
            WHERE
                coverage.appid = reach.appid
                AND coverage.dataset = :dataset
                AND coverage.publication_date BETWEEN reach.first_date AND :last_date
        )

        SELECT
            reach.first_date + step AS publication_date,
            known.data_state,
            known.fetched_at,
            known.ready_at,
            coalesce(known.is_final, FALSE) AS is_final,
            coalesce(known.is_resting, FALSE) AS is_resting,
            coalesce(known.is_provisional, FALSE) AS is_provisional,
            known.attempt_state,
            known.attempted_at,
            known.next_attempt_at,
            known.error_kind,
            known.error_code,
            known.error,
            known.cure
        FROM generate_series(0, cast(:last_date AS date) - reach.first_date) AS step
        LEFT JOIN known ON reach.first_date + step = known.publication_date
        WHERE NOT coalesce(known.is_final, FALSE)
    ) AS day
