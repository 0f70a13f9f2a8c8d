-- The pairs that a run plans: one row each. What an earlier plan named as well keeps its counts.
INSERT INTO weixin.run_report (
    run_id, dataset, appid, publication_date, installation, planned_at, is_probe, is_witness
)
SELECT
    :run_id,
    :dataset,
    appid,
    publication_date,
    :installation,
    :planned_at,
    is_probe,
    is_witness
FROM unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[]),
        cast(:is_probes AS boolean[]),
        cast(:are_witnesses AS boolean[])
    ) AS planned (appid, publication_date, is_probe, is_witness)
ON CONFLICT (run_id, dataset, appid, publication_date, installation) DO UPDATE SET
    planned_at = excluded.planned_at,
    is_planned = TRUE,
    is_probe = excluded.is_probe,
    is_witness = excluded.is_witness,
    state = 'planned',
    is_retryable = TRUE
