-- Why pairs of a run are not in: one row per reason, with the publication days it holds back.
-- Where a successor goes on with the accounts whose endpoint is offline, theirs are left out.
-- WeChat's request ids ("rid: …") make the same refusal look like another one each time.
SELECT
    regexp_replace(coverage.error, '\s*rid: [0-9a-f-]+', '', 'g') AS reason,
    array_agg(DISTINCT report.publication_date ORDER BY report.publication_date)
        AS publication_dates,
    bool_or(report.state = 'not_ready') AS is_not_ready
FROM weixin.run_report AS report
INNER JOIN weixin.coverage AS coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.state IN ('not_ready', 'failed')
    AND coverage.error IS NOT NULL
    AND NOT (:goes_on AND coalesce(coverage.error_code, 0) = 47009)
GROUP BY reason
ORDER BY min(report.publication_date), reason
