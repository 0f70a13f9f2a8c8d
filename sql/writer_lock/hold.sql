-- Hold some locks until the transaction ends, in a fixed order. The statement waits for other
-- holders. A user without write access cannot hold a lock.
INSERT INTO weixin.writer_lock (lock_name)
SELECT lock_name
FROM unnest(cast(:lock_names AS text[])) AS wanted (lock_name)
ORDER BY lock_name
ON CONFLICT (lock_name) DO UPDATE SET lock_name = excluded.lock_name
