-- An earlier run had this id: it was deleted and triggered again, or run again by `airflow dags
-- test`. Its report is dropped; only what it brought in and is still to be announced is kept.
WITH to_announce AS (
    UPDATE weixin.run_report
    SET
        is_planned = FALSE,
        calls = 0,
        inserted = 0,
        updated = 0,
        unchanged = 0,
        rejected = 0,
        restated = 0
    WHERE
        run_id = :run_id
        AND dataset = :dataset
        AND installation = :installation
        AND is_unannounced
)

DELETE FROM weixin.run_report
WHERE
    run_id = :run_id
    AND dataset = :dataset
    AND installation = :installation
    AND NOT is_unannounced
