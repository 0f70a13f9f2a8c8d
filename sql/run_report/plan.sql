-- The pairs of a run's newest plan: one row each. What an earlier plan named as well keeps its
-- counts and its first planned_at; what only an earlier plan named is no longer planned.
WITH planned AS (
    SELECT
        appid,
        publication_date,
        is_probe
    FROM unnest(
            cast(:appids AS text[]),
            cast(:publication_dates AS date[]),
            cast(:is_probes AS boolean[])
        ) AS planned (appid, publication_date, is_probe)
),

dropped AS (
    UPDATE weixin.run_report AS report
    SET is_planned = FALSE
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.is_planned
        AND NOT EXISTS (
            SELECT FROM planned
            WHERE
                planned.appid = report.appid
                AND planned.publication_date = report.publication_date
        )
)

INSERT INTO weixin.run_report (
    run_id, dataset, appid, publication_date, planned_at, is_probe
)
SELECT
    :run_id,
    :dataset,
    appid,
    publication_date,
    :planned_at,
    is_probe
FROM planned
ON CONFLICT (run_id, dataset, appid, publication_date) DO UPDATE SET
    is_planned = TRUE,
    is_probe = excluded.is_probe,
    state = 'planned',
    is_retryable = TRUE
