-- Return what a run did for its slices: one row per slice, with columns in the order of `Counts`.
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
