-- What came of a run: one row per pair it planned, with why it is not in, if so.
SELECT
    report.appid,
    account.name,
    report.publication_date,
    report.state,
    report.calls,
    report.inserted,
    report.updated,
    report.unchanged,
    report.rejected,
    report.restated,
    CASE WHEN report.state IN ('not_ready', 'failed') THEN coverage.error END AS error
FROM weixin.run_report AS report
LEFT JOIN weixin.dim_account AS account ON report.appid = account.appid
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
WHERE report.run_id = :run_id AND report.dataset = :dataset
ORDER BY account.name, report.appid, report.publication_date
