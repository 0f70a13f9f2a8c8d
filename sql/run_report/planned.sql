-- How many pairs of a run's plan are there, of some accounts or of all.
SELECT count(*) AS pair_count
FROM weixin.run_report
WHERE
    run_id = :run_id
    AND dataset = :dataset
    AND installation = :installation
    AND planned_at = :planned_at
    AND (cast(:appids AS text[]) IS NULL OR appid = any(:appids))
