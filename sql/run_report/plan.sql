-- The pairs that a run plans: one row each. What an earlier plan named as well keeps its counts and
-- its first planned_at.
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
FROM unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[]),
        cast(:is_probes AS boolean[])
    ) AS planned (appid, publication_date, is_probe)
ON CONFLICT (run_id, dataset, appid, publication_date) DO UPDATE SET
    is_planned = TRUE,
    is_probe = excluded.is_probe,
    state = 'planned',
    is_retryable = TRUE
