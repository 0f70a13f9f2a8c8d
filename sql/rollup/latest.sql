-- The latest totals of articles with rows changed since an instant: one row per article whose
-- totals are others now.
{% from "rollup/macros.jinja" import asked, latest, reached, taken_over %}
{% set columns = reached(dataset).split() %}
INSERT INTO weixin.latest_{{ dataset.name }} AS kept (
    appid,
    msgid,
    {{ columns | join(",\n    ") }}
)
SELECT
    now.appid,
    now.msgid,
    now.{{ columns | join(",\n    now.") }}
FROM (
    {{ latest(dataset, asked(), ":since") | indent }}
) AS now
ON CONFLICT (appid, msgid) DO UPDATE
    {{ taken_over(columns) | indent }}
