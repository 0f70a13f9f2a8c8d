-- Whether WeChat has answered anything in a run: figures, or a refusal.
SELECT exists(
    SELECT
    FROM weixin.run_report AS report
    INNER JOIN weixin.coverage
        ON
            report.dataset = coverage.dataset
            AND report.appid = coverage.appid
            AND report.day = coverage.day
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.attempted_at IS NOT NULL
        AND coverage.attempted_at >= report.planned_at
        AND (coverage.error_kind IS NULL OR NOT coverage.error_kind = any(:kinds_without_answer))
) AS is_answered
