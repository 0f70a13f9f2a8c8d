-- What the calendar's states are judged by: one row per account and publication day ever asked for.
SELECT
    appid,
    publication_date,
    data_state,
    fetched_at,
    ready_at,
    is_final,
    is_resting,
    is_provisional,
    attempt_state,
    attempted_at,
    next_attempt_at,
    error_kind,
    error_code,
    error,
    cure,
    coalesce(
        attempted_at < (
            SELECT max(unwanted.said_at)
            FROM weixin.unwanted_range AS unwanted
            WHERE
                unwanted.dataset = coverage.dataset
                AND unwanted.appid = coverage.appid
                AND coverage.publication_date BETWEEN unwanted.begin_date AND unwanted.end_date
        ), FALSE
    ) AS is_unwanted
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = any(:appids)
    AND publication_date BETWEEN :first_date AND :last_date
