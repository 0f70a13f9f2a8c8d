-- Answers of an account into the raw store: one row per answer, with the id it is kept under.
-- An answer identical to the pair's newest only moves last_seen_at. "Newest" is by last_seen_at:
-- an identical one that was fetched earlier moves nothing.
WITH answer AS (
    SELECT
        fetched.publication_date,
        fetched.body,
        sha256(fetched.body) AS body_sha256,
        fetched.fetched_at,
        newest.raw_response_id,
        newest.body_sha256 = sha256(fetched.body) AS is_repeated
    FROM unnest(
        cast(:publication_dates AS date []), cast(:bodies AS bytea []), cast(:fetched_ats AS timestamptz [])
    ) AS fetched (publication_date, body, fetched_at)
    LEFT JOIN LATERAL (
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
    ) AS newest ON TRUE
),

seen_again AS (
    UPDATE weixin.raw_response
    SET last_seen_at = greatest(raw_response.last_seen_at, answer.fetched_at)
    FROM answer
    WHERE answer.is_repeated AND raw_response.raw_response_id = answer.raw_response_id
    RETURNING raw_response.publication_date, raw_response.raw_response_id
),

landed AS (
    INSERT INTO weixin.raw_response (
        dataset, appid, publication_date, body, body_sha256, fetched_at, last_seen_at
    )
    SELECT
        :dataset,
        :appid,
        publication_date,
        body,
        body_sha256,
        fetched_at,
        fetched_at
    FROM answer
    WHERE is_repeated IS NOT TRUE
    RETURNING publication_date, raw_response_id
)

SELECT
    publication_date,
    raw_response_id,
    FALSE AS is_new
FROM seen_again
UNION ALL
SELECT
    publication_date,
    raw_response_id,
    TRUE
FROM landed
