-- What decides which days are due, and what they are called: the accounts' days that are open,
-- those of the present window, and, settled or not, the two newest days attempted, the one heard
-- last and the one with articles attempted longest ago that is not of the window: a row per account
-- and day.
SELECT DISTINCT
    known.appid,
    known.day,
    known.{{ coverage_columns | join(",\n    known.") }}
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
    ) AS known
