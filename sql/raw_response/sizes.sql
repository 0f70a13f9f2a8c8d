-- Return the compressed bytes of the kept answers of some slices, and whether the bytes of an
-- answer were pruned: one row per account and day, in order.
{% from "raw_response/macros.jinja" import kept_answers %}
SELECT
    kept.appid,
    kept.day,
    coalesce(sum(octet_length(kept.body)), 0) AS byte_count,
    bool_or(kept.body IS NULL) AS is_pruned
FROM {{ kept_answers() }}
GROUP BY kept.appid, kept.day
ORDER BY kept.appid, kept.day
