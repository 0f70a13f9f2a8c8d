-- What came of a run by account: one row each, the ones with days that are not in first.
SELECT
    report.appid,
    coalesce(account.name, report.appid) AS name,
    count(*) AS pairs,
    count(*) FILTER (WHERE report.state = 'loaded') AS loaded,
    count(*) FILTER (WHERE report.state = 'empty') AS empty,
    count(*) FILTER (WHERE report.state = 'not_ready') AS not_ready,
    count(*) FILTER (WHERE report.state = 'held_back') AS held_back,
    count(*) FILTER (WHERE report.state = 'failed') AS failed,
    count(*) FILTER (WHERE report.state = 'planned') AS planned,
    sum(report.calls)::bigint AS calls,
    sum(report.inserted)::bigint AS inserted,
    sum(report.updated)::bigint AS updated,
    sum(report.unchanged)::bigint AS unchanged,
    sum(report.rejected)::bigint AS rejected,
    sum(report.restated)::bigint AS restated,
    count(*) OVER () AS account_count
FROM weixin.run_report AS report
LEFT JOIN weixin.dim_account AS account ON report.appid = account.appid
WHERE report.dataset = :dataset AND report.run_id = :run_id
GROUP BY report.appid, account.name
ORDER BY
    count(*) FILTER (WHERE report.state NOT IN ('loaded', 'empty')) DESC,
    coalesce(account.name, report.appid)
LIMIT :most
