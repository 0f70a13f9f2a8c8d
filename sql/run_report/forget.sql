-- What a run's earlier plan was to bring in and did not: what it changed stays, for its event.
DELETE FROM weixin.run_report
WHERE run_id = :run_id AND dataset = :dataset AND inserted + updated = 0
