-- How far runs that are at work have come, with all accounts or with some: one row per run and
-- account, with how many pairs its plan has and the days that it has yet to bring in. What another
-- run brought in meanwhile is in; what was settled before the plan, and is planned all the same,
-- once it was asked.
{% from "weixin/macros.jinja" import is_in %}
SELECT
    report.dataset,
    report.run_id,
    report.appid,
    count(*) AS pair_count,
    coalesce(
        array_agg(report.day) FILTER (
            WHERE NOT {{ is_in(
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
