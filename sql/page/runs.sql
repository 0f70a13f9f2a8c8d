-- What came of a dataset's runs: one row per run that planned something, newest first. Their ids
-- are found by jumping from one to the next in the primary key, which begins with them. With
-- refetch, what was not answered is not in.
{% from "weixin/macros.jinja" import is_in %}
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
            ORDER BY report.appid, report.day
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
    count(*) FILTER (
        WHERE NOT {{ is_in("coverage", "report.planned_at", "TRUE") }}
    ) AS not_answered,
    count(*) FILTER (
        WHERE NOT {{ is_in("coverage", "report.planned_at") }}
    ) AS not_in,
    sum(report.calls)::bigint AS calls,
    sum(report.inserted)::bigint AS inserted,
    sum(report.updated)::bigint AS updated,
    sum(report.unchanged)::bigint AS unchanged,
    sum(report.rejected)::bigint AS rejected
FROM newest
INNER JOIN weixin.run_report AS report
    ON newest.run_id = report.run_id AND report.dataset = :dataset
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.day = coverage.day
GROUP BY newest.run_id, newest.run_count
ORDER BY planned_at DESC, newest.run_id DESC
