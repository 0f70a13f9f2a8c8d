-- How far the newest mornings have come, over all datasets and accounts: no row if no run has asked
-- for anything. A morning is the day in Beijing on which the newest run was planned. The days that
-- runs of an account's own newest morning asked for are counted; they are in if they are final or
-- had a ready answer since the morning began.
{% from "weixin/macros.jinja" import beijing, is_retired, planned_at %}
WITH newest AS (
    SELECT
        account.appid,
        dataset.name AS dataset,
        {{ planned_at("dataset.name", "account.appid") }} AS planned_at
    FROM weixin.dim_account AS account
    CROSS JOIN unnest(cast(:datasets AS text[])) AS dataset (name)
    WHERE account.is_active AND NOT {{ is_retired("dataset.name", "account.appid") }}
),

planned AS (
    SELECT DISTINCT
        report.dataset,
        report.appid,
        report.day
    FROM newest
    CROSS JOIN
        LATERAL (
            SELECT run.run_id
            FROM weixin.run_report AS run
            WHERE
                run.dataset = newest.dataset
                AND run.appid = newest.appid
                AND run.day = (
                    SELECT max(latest.day)
                    FROM weixin.run_report AS latest
                    WHERE latest.dataset = newest.dataset AND latest.appid = newest.appid
                )
                AND {{ beijing("run.planned_at") }} = {{ beijing("newest.planned_at") }}
        ) AS morning_run
    INNER JOIN weixin.run_report AS report
        ON
            morning_run.run_id = report.run_id
            AND newest.dataset = report.dataset
            AND newest.appid = report.appid
),

counted AS (
    SELECT
        planned.appid,
        morning.day AS morning,
        coverage.ready_at,
        coalesce(
            coverage.settled = 'final' OR {{ beijing("coverage.ready_at") }} >= morning.day, FALSE
        ) AS is_in
    FROM planned
    CROSS JOIN (SELECT {{ beijing("max(planned_at)") }} AS day FROM newest) AS morning
    LEFT JOIN weixin.coverage
        ON
            planned.dataset = coverage.dataset
            AND planned.appid = coverage.appid
            AND planned.day = coverage.day
)

SELECT
    morning,
    count(DISTINCT appid) AS account_count,
    count(*) AS day_count,
    count(*) FILTER (WHERE is_in) AS days_in,
    max(ready_at) FILTER (WHERE is_in) AS in_at
FROM counted
GROUP BY morning
