-- Holds some locks until the transaction ends, one after the other in one order; waits for whoever
-- holds them. Who may only read can't hold one.
INSERT INTO weixin.writer_lock (lock_name)
SELECT lock_name
FROM unnest(cast(:lock_names AS text[])) AS wanted (lock_name)
ORDER BY lock_name
ON CONFLICT (lock_name) DO UPDATE SET lock_name = excluded.lock_name
