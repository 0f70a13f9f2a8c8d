-- The next pairs whose kept answers a replay reads: one row each, in the order of the accounts and
-- days, after a given one.
{% from "raw_response/macros.jinja" import is_selected %}
SELECT DISTINCT
    raw.appid,
    raw.day
FROM weixin.raw_response AS raw
WHERE
    {{ is_selected() }}
    AND (raw.appid, raw.day) > (:after_appid, cast(:after_date AS date))
ORDER BY raw.appid, raw.day
LIMIT :count
