-- The accounts that are collected, and what a run planned for them: one row per pair, and one for
-- an account of which it planned nothing.
SELECT
    account.conn_id,
    account.appid,
    account.name,
    report.planned_at,
    report.day
FROM weixin.dim_account AS account
LEFT JOIN weixin.run_report AS report
    ON
        account.appid = report.appid
        AND report.run_id = :run_id
        AND report.dataset = :dataset
WHERE account.is_active
ORDER BY account.appid ASC, report.day DESC
