-- Return the compressed bytes of the kept answers of some slices: one row per account and day, in
-- order.
{% from "raw_response/macros.jinja" import kept_answers %}
SELECT
    kept.appid,
    kept.day,
    sum(octet_length(kept.body)) AS byte_count
FROM {{ kept_answers() }}
GROUP BY kept.appid, kept.day
ORDER BY kept.appid, kept.day
