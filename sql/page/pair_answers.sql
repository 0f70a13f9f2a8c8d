-- The distinct answers of a pair: one row each, the one seen last on top.
SELECT
    raw_response_id,
    fetched_at,
    last_seen_at,
    encode(substring(body_sha256 FOR 6), 'hex') AS sha256_start
FROM weixin.raw_response
WHERE
    dataset = :dataset
    AND appid = :appid
    AND day = cast(:day AS date)
ORDER BY last_seen_at DESC, raw_response_id DESC
