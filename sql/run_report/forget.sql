-- Delete a run's earlier plan. Rows of slices that the run changed stay, because the run's event
-- reports them.
DELETE FROM weixin.run_report
WHERE run_id = :run_id AND dataset = :dataset AND inserted + updated = 0
