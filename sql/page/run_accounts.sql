-- What came of a run by account: one row each, the ones with days that are not in first.
{% from "weixin/macros.jinja" import is_in %}
SELECT
    report.appid,
    coalesce(account.name, report.appid) AS name,
    count(*) AS pairs,
    count(*) FILTER (
        WHERE NOT {{ is_in("coverage", "report.planned_at", ":refetch") }}
    ) AS not_in,
    sum(report.calls)::bigint AS calls,
    sum(report.inserted)::bigint AS inserted,
    sum(report.updated)::bigint AS updated,
    sum(report.unchanged)::bigint AS unchanged,
    sum(report.rejected)::bigint AS rejected,
    count(*) OVER () AS account_count
FROM weixin.run_report AS report
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.day = coverage.day
LEFT JOIN weixin.dim_account AS account ON report.appid = account.appid
WHERE report.dataset = :dataset AND report.run_id = :run_id
GROUP BY report.appid, account.name
ORDER BY not_in DESC, name ASC, report.appid ASC
LIMIT :most
