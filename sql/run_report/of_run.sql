-- How far a run has come: one row per pair of its newest plan, with its counts and its coverage.
-- Of some accounts, or of all.
WITH planned AS MATERIALIZED (
    SELECT *
    FROM weixin.run_report
    WHERE
        run_id = :run_id
        AND dataset = :dataset
        AND installation = :installation
        AND is_planned
        AND (cast(:appids AS text[]) IS NULL OR appid = any(:appids))
)

SELECT
    report.appid,
    coalesce(account.name, report.appid) AS name,
    coalesce(account.conn_id, '') AS conn_id,
    report.publication_date,
    report.planned_at,
    report.is_probe,
    report.is_witness,
    report.calls,
    report.inserted,
    report.updated,
    report.unchanged,
    report.rejected,
    report.restated,
    report.state,
    report.is_retryable,
    coverage.data_state,
    coverage.fetched_at,
    coverage.ready_at,
    coalesce(coverage.is_final, FALSE) AS is_final,
    coverage.attempt_state,
    coverage.attempted_at,
    coverage.error_kind,
    coverage.error_code,
    coverage.error,
    coverage.cure,
    coverage.rid,
    coverage.next_attempt_at
FROM planned AS report
LEFT JOIN weixin.dim_account AS account ON report.appid = account.appid
LEFT JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
ORDER BY account.name ASC, report.appid ASC, report.publication_date DESC
