-- What accounts gained on some of their days: one row per account and day of which that changes.
{% from "rollup/macros.jinja" import asked, gained, gains, taken_over %}
{% set columns = gains(dataset).split() %}
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
    {{ gained(dataset, asked()) | indent }}
) AS now
ON CONFLICT (appid, calendar_date) DO UPDATE
    {{ taken_over(columns) | indent }}
