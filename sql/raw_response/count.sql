-- How many kept answers a replay reads.
{% from "raw_response/macros.jinja" import is_selected %}
SELECT count(*)
FROM weixin.raw_response AS raw
WHERE
    {{ is_selected() }}
