-- The days that somebody may have to look at: one row per account and day that is not final, asked
-- for or not since the account's first day, before it as far as it was asked for. And the two
-- newest that were, final or not, which tell whether the endpoint is retired.
-- Account by account: joined as a whole, every day ever asked for would be read.
SELECT
    reach.appid,
    listed.day,
    listed.{{ coverage_columns | join(",\n    listed.") }}
FROM unnest(
        cast(:appids AS text[]),
        cast(:since_dates AS date[]),
        cast(:first_dates AS date[])
    ) AS reach (appid, since_date, first_date)
CROSS JOIN
    LATERAL ( -- noqa: ST05
        WITH known AS MATERIALIZED (
            SELECT *
            FROM weixin.coverage
            WHERE
                coverage.appid = reach.appid
                AND coverage.dataset = :dataset
                AND coverage.day BETWEEN reach.first_date AND :last_date
        )

        SELECT
            reach.first_date + step AS day,
            known.{{ coverage_columns | join(",\n            known.") }}
        FROM generate_series(0, cast(:last_date AS date) - reach.first_date) AS step
        LEFT JOIN known ON reach.first_date + step = known.day
        WHERE known.settled IS DISTINCT FROM 'final'
        UNION ALL
        SELECT
            older.day,
            older.{{ coverage_columns | join(",\n            older.") }}
        FROM weixin.coverage AS older
        WHERE
            older.appid = reach.appid
            AND older.dataset = :dataset
            AND older.day < reach.first_date
            AND (older.settled IS NULL OR older.settled = 'given_up')
        UNION ALL
        SELECT
            reach.since_date + step AS day,
            never.{{ coverage_columns | join(",\n            never.") }}
        FROM generate_series(0, reach.first_date - reach.since_date - 1) AS step
        LEFT JOIN weixin.coverage AS never
            ON
                reach.appid = never.appid
                AND never.dataset = :dataset
                AND reach.since_date + step = never.day
        WHERE
            never.appid IS NULL
            -- so that days are looked up one by one only where some were never asked for
            AND reach.first_date - reach.since_date > (
                SELECT count(*)
                FROM weixin.coverage AS asked
                WHERE
                    asked.appid = reach.appid
                    AND asked.dataset = :dataset
                    AND asked.day >= reach.since_date
                    AND asked.day < reach.first_date
            )
        UNION ALL
        (
            SELECT
                newest.day,
                newest.{{ coverage_columns | join(",\n                newest.") }}
            FROM weixin.coverage AS newest
            WHERE newest.appid = reach.appid AND newest.dataset = :dataset
            ORDER BY newest.day DESC
            LIMIT 2
        )
    ) AS listed
