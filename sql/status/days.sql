-- The days that somebody may have to look at: one row per account and day that is not final, or
-- that nobody has asked for since the account's first day. And the two newest that were, final or
-- not, which tell whether the endpoint is retired.
SELECT
    wanted.appid,
    listed.day,
    listed.{{ coverage_columns | join(",\n    listed.") }}
FROM unnest(cast(:appids AS text[])) AS wanted (appid)
CROSS JOIN
    LATERAL ( -- noqa: ST05
        SELECT *
        FROM weixin.coverage AS known
        WHERE
            known.appid = wanted.appid
            AND known.dataset = :dataset
            AND (known.settled IS NULL OR known.settled = 'given_up')
        UNION
        (
            SELECT *
            FROM weixin.coverage AS newest
            WHERE newest.appid = wanted.appid AND newest.dataset = :dataset
            ORDER BY newest.day DESC
            LIMIT 2
        )
    ) AS listed
UNION ALL
SELECT
    wanted.appid,
    never.day,
    NULL AS {{ coverage_columns | join(",\n    NULL AS ") }}
FROM unnest(
        cast(:appids AS text[]), cast(:since_dates AS date[]), cast(:first_dates AS date[])
    ) AS wanted (appid, since_date, first_date)
-- what daily runs no longer reach is looked at day by day only where some were never asked for
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN count(*) < wanted.first_date - wanted.since_date THEN wanted.since_date
                ELSE wanted.first_date
            END AS begin_date
        FROM weixin.coverage
        WHERE
            coverage.appid = wanted.appid
            AND coverage.dataset = :dataset
            AND coverage.day >= wanted.since_date
            AND coverage.day < wanted.first_date
    ) AS reach
CROSS JOIN
    LATERAL (
        SELECT reach.begin_date + step AS day
        FROM generate_series(0, cast(:last_date AS date) - reach.begin_date) AS step
        EXCEPT
        SELECT coverage.day
        FROM weixin.coverage
        WHERE
            coverage.appid = wanted.appid
            AND coverage.dataset = :dataset
            AND coverage.day >= reach.begin_date
    ) AS never
