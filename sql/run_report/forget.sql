-- An earlier run had this id: it was deleted and triggered again, or run again by `airflow dags
-- test`. Its counts are not the new run's; what it brought in is still to be announced.
UPDATE weixin.run_report
SET
    is_planned = FALSE,
    calls = 0,
    inserted = 0,
    updated = 0,
    unchanged = 0,
    rejected = 0,
    restated = 0
WHERE run_id = :run_id AND dataset = :dataset AND installation = :installation
