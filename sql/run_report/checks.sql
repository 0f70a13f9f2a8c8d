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

-- warn: every_row_fits: no part of an answer was rejected
SELECT
    appid,
    publication_date,
    NULL AS msgid,
    format('%s parts rejected, see weixin.rejected_row', rejected) AS detail
FROM weixin.run_report
WHERE run_id = :run_id AND dataset = :dataset AND rejected > 0;
