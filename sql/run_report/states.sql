-- How far a run has come with an account: one row per planned pair, with its last errcode.
SELECT
    report.publication_date,
    report.state,
    coverage.error_code
FROM weixin.run_report AS report
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
WHERE report.run_id = :run_id AND report.dataset = :dataset AND report.appid = :appid
