-- What came of a pair in each run that planned it: one row per run, newest first. The runs' ids are
-- found by jumping from one to the next in the primary key, which begins with them. As in runs.sql,
-- what a run did not ask for may be in by another run.
{% from "page/macros.jinja" import by_another %}
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
    CASE
        WHEN another.is_in THEN 'in_by_another'
        WHEN report.state = 'planned' AND report.run_id = any(:at_work) THEN 'being_asked'
        ELSE report.state
    END AS state,
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
LEFT JOIN LATERAL {{ by_another() }} AS another ON TRUE
ORDER BY report.planned_at DESC, report.run_id DESC
