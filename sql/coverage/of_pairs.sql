-- What is known of some pairs of an account: one row per publication day ever asked for.
SELECT
    publication_date,
    data_state,
    fetched_at,
    is_final,
    article_count,
    row_count
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = :appid
    AND publication_date = any(:publication_dates)
