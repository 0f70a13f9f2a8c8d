-- Add the counts of an attempt to a run's report: one row per slice.
WITH attempt AS (
    SELECT *
    FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS attempt (
            appid text,
            day date,
            calls integer,
            inserted integer,
            updated integer,
            unchanged integer,
            rejected integer,
            attempted_at timestamptz
        )
)

INSERT INTO weixin.run_report AS report (
    run_id,
    dataset,
    appid,
    day,
    planned_at,
    calls,
    inserted,
    updated,
    unchanged,
    rejected,
    attempted_at
)
SELECT
    :run_id,
    :dataset,
    appid,
    day,
    attempted_at AS planned_at,
    calls,
    inserted,
    updated,
    unchanged,
    rejected,
    attempted_at
FROM attempt
ON CONFLICT (run_id, dataset, appid, day) DO UPDATE SET
    calls = report.calls + excluded.calls,
    inserted = report.inserted + excluded.inserted,
    updated = report.updated + excluded.updated,
    unchanged = report.unchanged + excluded.unchanged,
    rejected = report.rejected + excluded.rejected,
    attempted_at = excluded.attempted_at
