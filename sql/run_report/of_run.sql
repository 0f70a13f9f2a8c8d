-- What a run has done for some pairs: one row per pair, in the order of `Counts`.
SELECT
    report.appid,
    report.day,
    report.calls,
    report.inserted,
    report.updated,
    report.unchanged,
    report.rejected
FROM weixin.run_report AS report
WHERE report.run_id = :run_id AND report.dataset = :dataset
