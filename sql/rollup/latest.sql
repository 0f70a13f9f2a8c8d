-- The latest totals of articles with rows changed since an instant: one row per article whose
-- totals are others now.
{% from "rollup/macros.jinja" import asked, latest, reached %}
{% set columns = reached(dataset).split() %}
INSERT INTO weixin.latest_{{ dataset.name }} (
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
LEFT JOIN weixin.latest_{{ dataset.name }} AS kept
    ON now.appid = kept.appid AND now.msgid = kept.msgid
WHERE
    kept.appid IS NULL
    OR (
        now.{{ columns | join(",\n        now.") }}
    ) IS DISTINCT FROM (
        kept.{{ columns | join(",\n        kept.") }}
    )
ON CONFLICT (appid, msgid) DO UPDATE
    SET
        (
            {{ columns | join(",\n            ") }}
        ) = (
            excluded.{{ columns | join(",\n            excluded.") }}
        )
