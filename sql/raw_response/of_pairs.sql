-- The answers of some datasets and pairs (account, day), all or those seen since an instant: one
-- row each, pair by pair, oldest first.
{% from "raw_response/macros.jinja" import of_each_pair %}
SELECT
    raw.dataset,
    raw.appid,
    raw.day,
    raw.raw_response_id,
    raw.body,
    raw.fetched_at,
    raw.last_seen_at
FROM {{ of_each_pair() }}
WHERE cast(:since AS timestamptz) IS NULL OR raw.last_seen_at >= :since
ORDER BY
    raw.appid, raw.day, raw.last_seen_at, raw.fetched_at, raw.body_sha256, raw.raw_response_id
