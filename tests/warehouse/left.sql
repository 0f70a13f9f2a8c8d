-- What a transaction has left in its session of the server, for the pooler's next client.
SELECT 'setting ' || name || ' ' || setting
FROM pg_settings
WHERE
    source = 'session'
    -- PgBouncer sets these anew for each of its clients
    AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'IntervalStyle', 'TimeZone')
UNION ALL
SELECT 'table ' || relname FROM pg_class
WHERE relpersistence = 't'
UNION ALL
SELECT 'lock ' || locktype FROM pg_locks
WHERE locktype = 'advisory'
UNION ALL
SELECT 'prepared ' || name FROM pg_prepared_statements
UNION ALL
SELECT 'cursor ' || name FROM pg_cursors
UNION ALL
SELECT 'channel ' || channel FROM pg_listening_channels() AS channel
