-- Return the coverage that determines which days are due and their state: one row per account and
-- day. These are the open days, the days of the present window, the two newest requested days, the
-- day with articles whose answer is newest, and the day before the window with articles whose last
-- attempt is oldest (the control day).
SELECT DISTINCT
    coverage.appid,
    coverage.day,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM unnest(cast(:datasets AS text[]), cast(:appids AS text[])) AS account (dataset, appid)
CROSS JOIN
    LATERAL (
        (
            SELECT *
            FROM weixin.coverage
            WHERE dataset = account.dataset AND appid = account.appid AND settled IS NULL
        )
        UNION ALL
        (
            SELECT *
            FROM weixin.coverage
            WHERE
                dataset = account.dataset
                AND appid = account.appid
                AND day >= :window_first_date
        )
        UNION ALL
        (
            SELECT *
            FROM weixin.coverage
            WHERE dataset = account.dataset AND appid = account.appid
            ORDER BY day DESC
            LIMIT 2
        )
        UNION ALL
        (
            SELECT *
            FROM weixin.coverage
            WHERE
                dataset = account.dataset
                AND appid = account.appid
                AND list_sha256 != sha256('')
            ORDER BY ready_at DESC
            LIMIT 1
        )
        UNION ALL
        (
            SELECT *
            FROM weixin.coverage
            WHERE
                dataset = account.dataset
                AND appid = account.appid
                AND day < :window_first_date
                AND article_count > 0
                AND ready_at IS NOT NULL
                AND settled IS DISTINCT FROM 'given_up'
            ORDER BY attempted_at ASC, day DESC
            LIMIT 1
        )
    ) AS coverage
