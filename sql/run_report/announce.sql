-- The publication days whose rows changed, in any run of an installation, and that are in: one row
-- per day. They are announced now. A run's own days are announced again when its report is made
-- again: the one that announced them first may have been killed before Airflow heard of it.
WITH changed AS (
    UPDATE weixin.run_report AS report
    SET is_unannounced = FALSE
    FROM weixin.coverage
    WHERE
        report.dataset = :dataset
        AND report.installation = :installation
        AND (
            report.is_unannounced
            OR (report.run_id = :run_id AND report.inserted + report.updated > 0)
        )
        AND coverage.dataset = report.dataset
        AND coverage.appid = report.appid
        AND coverage.publication_date = report.publication_date
        AND coverage.attempt_state = 'ok'
    RETURNING report.publication_date
)

SELECT DISTINCT publication_date FROM changed
ORDER BY publication_date
