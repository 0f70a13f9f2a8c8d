-- Hold the free locks among some locks until the transaction ends: one row per lock that was free.
SELECT lock_name
FROM weixin.writer_lock
WHERE lock_name = any(:lock_names)
ORDER BY lock_name
FOR UPDATE SKIP LOCKED
