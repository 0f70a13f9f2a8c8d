-- The days that rows changed since an instant tell of: one row per account. Such a row tells of its
-- day and of all later days of its article; of earlier ones only if it stands after a gap. Keeps
-- the articles' latest totals: writes one row per article whose totals are others now.
{% from "rollup/macros.jinja" import asked, latest, reached, taken_over %}
{% set totals = reached(dataset).split() %}
WITH article AS MATERIALIZED (
    {{ latest(dataset, asked(), ":since") | indent }}
),

latest AS (
    INSERT INTO weixin.latest_{{ dataset.name }} AS kept (
        appid,
        msgid,
        {{ totals | join(",\n        ") }}
    )
    SELECT
        appid,
        msgid,
        {{ totals | join(",\n        ") }}
    FROM article
    -- articles of a month lie together, also where an account's are all worked out at once
    ORDER BY appid, publication_date
    ON CONFLICT (appid, msgid) DO UPDATE
        {{ taken_over(totals) | indent(8) }}
)

SELECT
    appid,
    min(
        CASE
            WHEN first_changed_date BETWEEN publication_date AND complete_through_date
                THEN first_changed_date
            ELSE least(publication_date, first_date)
        END
    ) AS first_date,
    max(stat_date) + 1 AS last_date
FROM article
GROUP BY appid
