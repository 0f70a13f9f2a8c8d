-- What came of a pair in each run that planned it: one row per run, newest first. The runs' ids are
-- found by jumping from one to the next in the primary key, which begins with them.
WITH RECURSIVE run AS (
    SELECT min(run_id) AS run_id
    FROM weixin.run_report
    UNION ALL
    SELECT (
        SELECT report.run_id
        FROM weixin.run_report AS report
        WHERE report.run_id > run.run_id
        ORDER BY report.run_id
        LIMIT 1
    )
    FROM run
    WHERE run.run_id IS NOT NULL
)

SELECT
    report.run_id,
    report.planned_at,
    report.state,
    report.is_planned,
    report.calls,
    report.inserted,
    report.updated,
    report.unchanged,
    report.rejected,
    report.restated
FROM run
INNER JOIN weixin.run_report AS report
    ON
        run.run_id = report.run_id
        AND report.dataset = :dataset
        AND report.appid = :appid
        AND report.publication_date = cast(:publication_date AS date)
ORDER BY report.planned_at DESC, report.run_id DESC
