-- The next pairs whose kept answers a replay reads: one row a pair with the compressed
-- bytes of its answers, in the order of the accounts and days, after a given one.
{% from "raw_response/macros.jinja" import is_selected %}
SELECT
    raw.appid,
    raw.day,
    count(*) AS answer_count,
    sum(octet_length(raw.body)) AS byte_count
FROM weixin.raw_response AS raw
WHERE
    {{ is_selected() }}
    AND (raw.appid, raw.day) > (:after_appid, cast(:after_date AS date))
GROUP BY raw.appid, raw.day
ORDER BY raw.appid, raw.day
LIMIT :count
