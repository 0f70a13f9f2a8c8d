-- Answers of an account that are identical to the pair's newest: these only move last_seen_at.
-- "Newest" is by last_seen_at: an identical one that was fetched earlier moves nothing.
UPDATE weixin.raw_response
SET last_seen_at = greatest(raw_response.last_seen_at, fetched.fetched_at)
FROM unnest(
        cast(:publication_dates AS date[]),
        cast(:hashes AS bytea[]),
        cast(:fetched_ats AS timestamptz[])
    ) AS fetched (publication_date, body_sha256, fetched_at)
CROSS JOIN
    LATERAL (
        SELECT
            raw_response_id,
            body_sha256
        FROM weixin.raw_response
        WHERE
            dataset = :dataset
            AND appid = :appid
            AND publication_date = fetched.publication_date
        ORDER BY last_seen_at DESC, raw_response_id DESC
        LIMIT 1
    ) AS newest
WHERE
    newest.body_sha256 = fetched.body_sha256
    AND raw_response.raw_response_id = newest.raw_response_id
RETURNING raw_response.publication_date, raw_response.raw_response_id
