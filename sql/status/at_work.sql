-- Return the progress of running runs, for all accounts or for some: one row per run and account,
-- with the number of planned days and the days left. A day that another run brought in meanwhile is
-- in. A day that was settled before the plan is in once this run has requested the day.
{% from "weixin/macros.jinja" import is_satisfied %}
SELECT
    report.dataset,
    report.run_id,
    report.appid,
    count(*) AS slice_count,
    coalesce(
        array_agg(report.day) FILTER (
            WHERE NOT {{ is_satisfied(
                "coverage", "report.planned_at", "coverage.attempted_at < report.planned_at"
            ) }}
        ),
        '{}'
    ) AS days_left
FROM weixin.run_report AS report
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.day = coverage.day
WHERE
    report.run_id = any(:run_ids)
    AND report.dataset = :dataset
    AND (cast(:appids AS text[]) IS NULL OR report.appid = any(:appids))
GROUP BY report.dataset, report.run_id, report.appid
