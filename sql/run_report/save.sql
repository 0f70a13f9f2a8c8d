-- What came of some pairs in a run: counts are added to those of earlier commits and
-- tries. A pair without a state is not judged yet: it is planned. leaves_open: a pair that is held
-- back is not planned any more, because the next daily run asks for it.
INSERT INTO weixin.run_report AS report (
    run_id,
    dataset,
    appid,
    publication_date,
    installation,
    planned_at,
    calls,
    inserted,
    updated,
    unchanged,
    rejected,
    restated,
    state,
    is_retryable,
    is_unannounced
)
SELECT
    :run_id,
    :dataset,
    appid,
    publication_date,
    :installation,
    :saved_at,
    calls,
    inserted,
    updated,
    unchanged,
    rejected,
    restated,
    coalesce(state, 'planned'),
    coalesce(is_retryable, TRUE),
    inserted + updated > 0 AS is_unannounced
FROM jsonb_to_recordset(cast(:counts AS jsonb)) AS counted (
        appid text,
        publication_date date,
        calls integer,
        inserted integer,
        updated integer,
        unchanged integer,
        rejected integer,
        restated integer,
        state text,
        is_retryable boolean
    )
ON CONFLICT (run_id, dataset, appid, publication_date, installation) DO UPDATE SET
    calls = report.calls + excluded.calls,
    inserted = report.inserted + excluded.inserted,
    updated = report.updated + excluded.updated,
    unchanged = report.unchanged + excluded.unchanged,
    rejected = report.rejected + excluded.rejected,
    restated = report.restated + excluded.restated,
    state = excluded.state,
    is_planned = report.is_planned AND NOT (:leaves_open AND excluded.state = 'held_back'),
    is_retryable = excluded.is_retryable,
    is_unannounced = report.is_unannounced OR excluded.is_unannounced
