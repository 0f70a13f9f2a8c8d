-- What we have of a pair, and how its last attempt ended: one row, or none.
SELECT
    publication_date,
    data_state,
    through_date,
    fetched_at,
    ready_at,
    is_provisional,
    is_final,
    is_resting,
    article_count,
    row_count,
    attempt_state,
    attempted_at,
    attempts,
    next_attempt_at,
    error_kind,
    error_code,
    error,
    cure
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = :appid
    AND publication_date = cast(:publication_date AS date)
