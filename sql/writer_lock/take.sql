-- Wait for the holders of some locks, and hold the locks until the transaction ends: one row each,
-- in a fixed order. A user without write access cannot lock a row.
SELECT lock_name
FROM weixin.writer_lock
WHERE lock_name = any(:lock_names)
ORDER BY lock_name
FOR UPDATE
