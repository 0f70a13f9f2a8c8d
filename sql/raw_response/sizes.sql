-- The compressed bytes of the kept answers of some pairs (account, day): one row each, in order.
{% from "raw_response/macros.jinja" import of_each_pair %}
SELECT
    raw.appid,
    raw.day,
    sum(octet_length(raw.body)) AS byte_count
FROM {{ of_each_pair() }}
GROUP BY raw.appid, raw.day
ORDER BY raw.appid, raw.day
