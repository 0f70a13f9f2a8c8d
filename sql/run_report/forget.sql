-- The report of an earlier run of the same id, which `airflow dags test` replaces.
DELETE FROM weixin.run_report
WHERE run_id = :run_id AND dataset = :dataset
