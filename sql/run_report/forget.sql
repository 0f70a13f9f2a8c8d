-- What a run's earlier plan, or an earlier run of this id, has done.
DELETE FROM weixin.run_report
WHERE run_id = :run_id AND dataset = :dataset
