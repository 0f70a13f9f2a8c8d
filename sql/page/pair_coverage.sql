-- What we have of a pair, and how its last attempt ended: one row, or none.
SELECT
    article_count,
    row_count,
    through_date,
    fetched_at,
    ready_at,
    attempted_at,
    error_kind,
    error_code,
    error,
    cure
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = :appid
    AND day = cast(:day AS date)
