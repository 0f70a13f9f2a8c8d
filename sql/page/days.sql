-- Return days of some accounts for the calendar and a day's story: one row per account and day,
-- with the columns of analytics.coverage and of weixin.coverage.
{% from "analytics/days.jinja" import days %}
{% from "weixin/rejected.jinja" import rejected_cause with context %}
SELECT
    told.appid,
    told.day,
    told.state,
    told.last_attempt,
    told.next_date,
    told.final_date,
    {{ rejected_cause(
        "part.dataset = told.dataset AND part.appid = told.appid AND part.day = told.day"
    ) }} AS rejected_cause,
    stored.{{ coverage_columns | join(",\n    stored.") }}
FROM (
    {{ days(":now", every_dataset, datasets) }}
) AS told
LEFT JOIN weixin.coverage AS stored
    ON
        told.dataset = stored.dataset
        AND told.appid = stored.appid
        AND told.day = stored.day
WHERE
    told.dataset = :dataset
    AND told.appid = any(:appids)
    AND told.day BETWEEN :first_date AND :last_date
