-- Days of some accounts as the calendar and a day's story show them: one row per account and day,
-- as analytics.coverage has it, with what is stored of the pair.
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
