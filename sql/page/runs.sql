-- What came of a dataset's runs: one row per run that planned something, newest first. Their ids
-- are found by jumping from one to the next in the primary key, which begins with them. What a run
-- did not ask for may be in by another run; a run at work may still ask for what is final.
{% from "page/macros.jinja" import by_another %}
WITH RECURSIVE step AS (
    SELECT min(run_id) AS run_id
    FROM weixin.run_report
    UNION ALL
    SELECT (
        SELECT report.run_id
        FROM weixin.run_report AS report
        WHERE report.run_id > step.run_id
        ORDER BY report.run_id
        LIMIT 1
    )
    FROM step
    WHERE step.run_id IS NOT NULL
),

newest AS (
    SELECT
        step.run_id,
        first_pair.planned_at,
        count(*) OVER () AS run_count
    FROM step
    CROSS JOIN
        LATERAL (
            SELECT report.planned_at
            FROM weixin.run_report AS report
            WHERE report.run_id = step.run_id AND report.dataset = :dataset
            ORDER BY report.appid, report.publication_date
            LIMIT 1
        ) AS first_pair
    ORDER BY first_pair.planned_at DESC, step.run_id DESC
    LIMIT
        :most
        OFFSET :offset
)

SELECT
    newest.run_id,
    newest.run_count,
    min(report.planned_at) AS planned_at,
    count(DISTINCT report.appid) AS accounts,
    count(*) AS pairs,
    count(*) FILTER (WHERE report.state = 'loaded') AS loaded,
    count(*) FILTER (WHERE report.state = 'empty') AS empty,
    count(*) FILTER (WHERE report.state = 'not_ready') AS not_ready,
    count(*) FILTER (WHERE report.state = 'held_back') AS held_back,
    count(*) FILTER (WHERE report.state = 'failed') AS failed,
    count(*) FILTER (WHERE another.is_in) AS in_by_another,
    count(*) FILTER (WHERE report.state = 'planned' AND another.is_in IS NULL) AS planned,
    sum(report.calls)::bigint AS calls,
    sum(report.inserted)::bigint AS inserted,
    sum(report.updated)::bigint AS updated,
    sum(report.unchanged)::bigint AS unchanged,
    sum(report.rejected)::bigint AS rejected,
    sum(report.restated)::bigint AS restated
FROM newest
INNER JOIN weixin.run_report AS report
    ON newest.run_id = report.run_id AND report.dataset = :dataset
LEFT JOIN LATERAL {{ by_another() }} AS another ON TRUE
GROUP BY newest.run_id, newest.run_count
ORDER BY planned_at DESC, newest.run_id DESC
