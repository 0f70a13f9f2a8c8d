-- What rows changed since an instant mean: the latest totals of their articles, one row per article
-- whose totals are others now, and what accounts gained, one row per account and day of which that
-- changes. A changed row tells of its day and of all later days of its article; of earlier ones
-- only if it stands after a gap.
{% from "rollup/macros.jinja" import asked, gained, gains, latest, reached, taken_over %}
{% set totals = reached(dataset).split() %}
{% set columns = gains(dataset).split() %}
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
    ON CONFLICT (appid, msgid) DO UPDATE
        {{ taken_over(totals) | indent(8) }}
),

span AS MATERIALIZED (
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
)

INSERT INTO weixin.account_day_{{ dataset.name }} AS kept (
    appid,
    calendar_date,
    {{ columns | join(",\n    ") }}
)
SELECT
    now.appid,
    now.calendar_date,
    now.{{ columns | join(",\n    now.") }}
FROM (
    {{ gained(dataset, "span") | indent }}
) AS now
ON CONFLICT (appid, calendar_date) DO UPDATE
    {{ taken_over(columns) | indent }}
