-- The days that somebody may have to look at: one row per account and day that is not final, or
-- that nobody has asked for since the account's first day. And the two newest that were, final or
-- not, which tell whether the endpoint is retired.
SELECT
    wanted.appid,
    listed.day,
    listed.{{ coverage_columns | join(",\n    listed.") }}
FROM unnest(cast(:appids AS text[]), cast(:since_dates AS date[])) AS wanted (appid, since_date)
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
    wanted.since_date + step AS day,
    never.{{ coverage_columns | join(",\n    never.") }}
FROM unnest(cast(:appids AS text[]), cast(:since_dates AS date[])) AS wanted (appid, since_date)
CROSS JOIN
    LATERAL (
        SELECT count(*) > cast(:last_date AS date) - wanted.since_date AS are_all
        FROM weixin.coverage
        WHERE
            coverage.appid = wanted.appid
            AND coverage.dataset = :dataset
            AND coverage.day BETWEEN wanted.since_date AND :last_date
    ) AS asked
-- days are looked up one by one only where some were never asked for
CROSS JOIN
    LATERAL generate_series(
        0, CASE WHEN asked.are_all THEN -1 ELSE cast(:last_date AS date) - wanted.since_date END
    ) AS step
LEFT JOIN weixin.coverage AS never
    ON
        wanted.appid = never.appid
        AND never.dataset = :dataset
        AND wanted.since_date + step = never.day
WHERE never.appid IS NULL
