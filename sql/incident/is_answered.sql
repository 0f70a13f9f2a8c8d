-- Whether WeChat has answered anything in a run: figures, or a refusal.
SELECT exists(
    SELECT
    FROM weixin.run_report AS report
    LEFT JOIN weixin.coverage
        ON
            report.dataset = coverage.dataset
            AND report.appid = coverage.appid
            AND report.publication_date = coverage.publication_date
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.installation = :installation
        AND report.is_planned
        AND (
            report.state IN ('loaded', 'empty', 'not_ready')
            OR (report.state = 'failed' AND NOT coverage.error_kind = any(:kinds_without_answer))
        )
) AS is_answered
