-- The accounts whose endpoint WeChat took offline, as far as a run was told: one row each.
SELECT coalesce(account.name, report.appid) AS name
FROM weixin.run_report AS report
INNER JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.day = coverage.day
LEFT JOIN weixin.dim_account AS account ON report.appid = account.appid
WHERE report.run_id = :run_id AND report.dataset = :dataset
GROUP BY report.appid, account.name
HAVING bool_and(coalesce(coverage.error_code, 0) = 47009)
ORDER BY name
