-- Waits for the others that hold some locks, one after the other in one order, and holds them until
-- the transaction ends: one row each. Who may only read can't lock a row.
SELECT lock_name
FROM weixin.writer_lock
WHERE lock_name = any(:lock_names)
ORDER BY lock_name
FOR UPDATE
