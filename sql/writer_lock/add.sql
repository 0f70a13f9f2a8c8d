-- Add the locks that do not exist yet: one row each, in a fixed order.
INSERT INTO weixin.writer_lock (lock_name)
SELECT lock_name
FROM unnest(cast(:lock_names AS text[])) AS wanted (lock_name)
ORDER BY lock_name
ON CONFLICT (lock_name) DO NOTHING
