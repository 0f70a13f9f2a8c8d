-- Every answer of a pair (account, publication day) in the order they were last seen.
SELECT
    raw_response_id,
    body_zstd,
    fetched_at,
    last_seen_at
FROM weixin.raw_response
WHERE dataset = :dataset AND appid = :appid AND publication_date = :publication_date
ORDER BY last_seen_at, raw_response_id
