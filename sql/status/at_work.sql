-- How far runs that are at work have come: one row per run and account, with how many pairs its
-- plan has and the publication days that it has yet to bring in. A pair that another run brought in
-- meanwhile is in; one that failed is asked for again if Airflow tries again.
SELECT
    report.run_id,
    report.appid,
    count(*) AS pair_count,
    coalesce(
        array_agg(report.publication_date) FILTER (
            WHERE report.state IN ('planned', 'not_ready', 'failed')
            AND report.is_retryable
            AND NOT coalesce(coverage.ready_at >= report.planned_at, FALSE)
        ),
        '{}'
    ) AS days_left
FROM weixin.run_report AS report
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
WHERE report.run_id = any(:run_ids) AND report.dataset = :dataset AND report.is_planned
GROUP BY report.run_id, report.appid
