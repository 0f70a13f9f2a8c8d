-- How far a run is, from Airflow's metadata: one row per task and state of its instances.
-- A run is asked for by its id, or by its logical date before its id is known.
SELECT
    run.run_id,
    run.state AS run_state,
    instance.task_id,
    instance.state,
    count(*) AS instances
FROM dag_run AS run
INNER JOIN task_instance AS instance
    ON run.dag_id = instance.dag_id AND run.run_id = instance.run_id
WHERE
    run.dag_id = :dag_id
    AND (run.run_id = :run_id OR run.logical_date = :logical_date)
GROUP BY run.run_id, run.state, instance.task_id, instance.state
