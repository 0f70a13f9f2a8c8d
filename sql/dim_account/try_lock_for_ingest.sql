-- The accounts that no other run ingests, locked until the session ends: one row each.
SELECT appid
FROM unnest(cast(:appids AS text[])) AS account (appid)
WHERE pg_try_advisory_lock(hashtextextended('ingest:' || :dataset || ':' || appid, 0))
