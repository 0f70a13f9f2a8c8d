-- Save the plan of a run: one row per slice.
INSERT INTO weixin.run_report (run_id, dataset, appid, day, planned_at)
SELECT
    :run_id,
    :dataset,
    appid,
    day,
    :planned_at
FROM unnest(cast(:appids AS text[]), cast(:days AS date[])) AS planned (appid, day)
ON CONFLICT (run_id, dataset, appid, day) DO UPDATE SET planned_at = excluded.planned_at
