-- The latest totals of articles with rows changed since an instant: one row per article whose
-- totals are others now.
{% from "rollup/macros.jinja" import asked, latest, reached %}
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
    SET
        (
            {{ columns | join(",\n            ") }}
        ) = (
            excluded.{{ columns | join(",\n            excluded.") }}
        )
    WHERE
    (
        kept.{{ columns | join(",\n        kept.") }}
    ) IS DISTINCT FROM (
        excluded.{{ columns | join(",\n        excluded.") }}
    )
