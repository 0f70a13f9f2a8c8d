-- fail: planned_pair_is_in: every planned pair is in, or its endpoint retired
SELECT
    report.appid,
    report.publication_date,
    NULL AS msgid,
    concat_ws(': ', report.state, coverage.error) AS detail
FROM weixin.run_report AS report
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
        AND report.state != 'planned'
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.state NOT IN ('loaded', 'empty', 'retired');
