-- One run at a time ingests an account of a dataset: waits for the others, account by account in
-- one order, and locks them until the session ends. One row per account.
SELECT
    appid,
    pg_advisory_lock(hashtextextended('ingest:' || :dataset || ':' || appid, 0))
FROM (
    SELECT appid
    FROM unnest(cast(:appids AS text[])) AS account (appid)
    ORDER BY appid
) AS account
