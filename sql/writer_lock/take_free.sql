-- Those of some locks that nobody holds, held until the transaction ends: one row each.
SELECT lock_name
FROM weixin.writer_lock
WHERE lock_name = any(:lock_names)
ORDER BY lock_name
FOR UPDATE SKIP LOCKED
