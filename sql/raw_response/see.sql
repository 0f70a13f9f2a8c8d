-- Update the time of the last fetch of answers that were fetched again unchanged: one row per
-- answer, the newest of its slice.
UPDATE weixin.raw_response
SET last_seen_at = greatest(raw_response.last_seen_at, seen.seen_at)
FROM unnest(
        cast(:raw_response_ids AS bigint[]), cast(:seen_ats AS timestamptz[])
    ) AS seen (raw_response_id, seen_at)
WHERE raw_response.raw_response_id = seen.raw_response_id
