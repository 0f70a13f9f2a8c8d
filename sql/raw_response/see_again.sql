-- Answers that are kept already: these only move last_seen_at, one row per answer.
-- One is, when it is identical to the pair's answer before or after it, or to the pair's newest,
-- all by last_seen_at: one that was fetched earlier than these moves nothing.
UPDATE weixin.raw_response
SET last_seen_at = greatest(raw_response.last_seen_at, fetched.fetched_at)
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[]),
        cast(:hashes AS bytea[]),
        cast(:fetched_ats AS timestamptz[])
    ) AS fetched (dataset, appid, publication_date, body_sha256, fetched_at)
CROSS JOIN
    LATERAL (
        SELECT
            raw_response_id,
            last_seen_at,
            body_sha256 = fetched.body_sha256 AS is_identical,
            last_seen_at <= fetched.fetched_at AS is_before,
            row_number() OVER (
                PARTITION BY last_seen_at <= fetched.fetched_at
                ORDER BY last_seen_at DESC, raw_response_id DESC
            ) AS from_newest,
            row_number() OVER (
                PARTITION BY last_seen_at <= fetched.fetched_at
                ORDER BY last_seen_at, raw_response_id
            ) AS from_oldest
        FROM weixin.raw_response
        WHERE
            dataset = fetched.dataset
            AND appid = fetched.appid
            AND publication_date = fetched.publication_date
    ) AS kept
WHERE
    kept.is_identical
    AND raw_response.raw_response_id = kept.raw_response_id
    AND (kept.from_newest = 1 OR (kept.from_oldest = 1 AND NOT kept.is_before))
RETURNING
    raw_response.appid,
    raw_response.publication_date,
    raw_response.raw_response_id,
    raw_response.fetched_at,
    raw_response.last_seen_at,
    kept.last_seen_at AS seen_before
