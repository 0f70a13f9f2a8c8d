-- What the calendar's states are judged by: one row per account and day ever asked for, and the two
-- newest, which tell whether the endpoint is retired.
SELECT
    coverage.appid,
    coverage.day,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM unnest(cast(:appids AS text[])) AS wanted (appid)
CROSS JOIN
    LATERAL (
        SELECT *
        FROM weixin.coverage AS shown
        WHERE
            shown.dataset = :dataset
            AND shown.appid = wanted.appid
            AND shown.day BETWEEN :first_date AND :last_date
        UNION
        (
            SELECT *
            FROM weixin.coverage AS newest
            WHERE newest.dataset = :dataset AND newest.appid = wanted.appid
            ORDER BY newest.day DESC
            LIMIT 2
        )
    ) AS coverage
