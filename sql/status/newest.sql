-- Return the progress of the newest daily run over all datasets and accounts: one row, or none
-- before the first run. The morning is the Beijing day on which the newest run was planned. The row
-- counts the days that the runs of each account's newest morning planned. A day is in if it is
-- final, or if a ready answer was fetched since the morning began.
{% from "weixin/macros.jinja" import beijing, is_retired, planned_at %}
WITH newest_plan AS (
    SELECT
        account.appid,
        dataset.name AS dataset,
        {{ planned_at("dataset.name", "account.appid") }} AS planned_at
    FROM weixin.dim_account AS account
    CROSS JOIN unnest(cast(:datasets AS text[])) AS dataset (name)
    WHERE account.is_active AND NOT {{ is_retired("dataset.name", "account.appid") }}
),

planned_day AS (
    SELECT DISTINCT
        report.dataset,
        report.appid,
        report.day
    FROM newest_plan
    CROSS JOIN
        LATERAL (
            SELECT run.run_id
            FROM weixin.run_report AS run
            WHERE
                run.dataset = newest_plan.dataset
                AND run.appid = newest_plan.appid
                AND run.day = (
                    SELECT max(latest.day)
                    FROM weixin.run_report AS latest
                    WHERE latest.dataset = newest_plan.dataset AND latest.appid = newest_plan.appid
                )
                AND {{ beijing("run.planned_at") }} = {{ beijing("newest_plan.planned_at") }}
        ) AS morning_run
    INNER JOIN weixin.run_report AS report
        ON
            morning_run.run_id = report.run_id
            AND newest_plan.dataset = report.dataset
            AND newest_plan.appid = report.appid
),

day_result AS (
    SELECT
        planned_day.appid,
        morning.day AS morning,
        coverage.ready_at,
        coalesce(
            coverage.settled = 'final' OR {{ beijing("coverage.ready_at") }} >= morning.day, FALSE
        ) AS is_in
    FROM planned_day
    CROSS JOIN (SELECT {{ beijing("max(planned_at)") }} AS day FROM newest_plan) AS morning
    LEFT JOIN weixin.coverage
        ON
            planned_day.dataset = coverage.dataset
            AND planned_day.appid = coverage.appid
            AND planned_day.day = coverage.day
)

SELECT
    morning,
    count(DISTINCT appid) AS account_count,
    count(*) AS day_count,
    count(*) FILTER (WHERE is_in) AS days_in,
    max(ready_at) FILTER (WHERE is_in) AS in_at
FROM day_result
GROUP BY morning
