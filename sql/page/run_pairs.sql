-- What the states of a run's pairs are judged by: one row per pair of some accounts.
SELECT
    report.appid,
    report.day,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM weixin.run_report AS report
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.day = coverage.day
WHERE report.dataset = :dataset AND report.run_id = :run_id AND report.appid = any(:appids)
