-- Return the kept answers of some datasets, accounts and days, all or those seen since an instant:
-- one row per answer, oldest first within a slice.
{% from "raw_response/macros.jinja" import kept_answers %}
SELECT
    kept.dataset,
    kept.appid,
    kept.day,
    kept.raw_response_id,
    kept.body,
    kept.fetched_at,
    kept.last_seen_at
FROM {{ kept_answers() }}
WHERE cast(:since AS timestamptz) IS NULL OR kept.last_seen_at >= :since
ORDER BY
    kept.appid, kept.day, kept.last_seen_at, kept.fetched_at, kept.body_sha256, kept.raw_response_id
