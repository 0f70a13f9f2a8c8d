-- How many answers of a dataset are kept of some pairs (account, day), and the compressed bytes of
-- all that a fold of them reads: one row each, in their order.
{% from "raw_response/macros.jinja" import of_each_pair %}
SELECT
    raw.appid,
    raw.day,
    count(*) FILTER (WHERE raw.dataset = :dataset) AS answer_count,
    sum(octet_length(raw.body)) AS byte_count
FROM {{ of_each_pair() }}
GROUP BY raw.appid, raw.day
ORDER BY raw.appid, raw.day
