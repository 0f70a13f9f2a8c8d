-- Return what each run that planned a slice has done about it: one row per run, newest first.
SELECT
    run_id,
    planned_at,
    attempted_at,
    calls,
    inserted,
    updated,
    unchanged,
    rejected
FROM weixin.run_report
WHERE
    dataset = :dataset
    AND appid = :appid
    AND day = cast(:day AS date)
ORDER BY planned_at DESC, run_id DESC
