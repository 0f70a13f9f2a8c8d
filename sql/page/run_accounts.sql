-- What came of a run by account: one row each, the ones with days that are not in first. As in
-- runs.sql, what it did not ask for may be in by another run.
{% from "page/macros.jinja" import by_another %}
SELECT
    report.appid,
    coalesce(account.name, report.appid) AS name,
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
    sum(report.restated)::bigint AS restated,
    count(*) OVER () AS account_count
FROM weixin.run_report AS report
LEFT JOIN weixin.dim_account AS account ON report.appid = account.appid
LEFT JOIN LATERAL {{ by_another() }} AS another ON TRUE
WHERE report.dataset = :dataset AND report.run_id = :run_id
GROUP BY report.appid, account.name
ORDER BY
    count(*) FILTER (
        WHERE report.state NOT IN ('loaded', 'empty') AND another.is_in IS NULL
    ) DESC,
    coalesce(account.name, report.appid)
LIMIT :most
