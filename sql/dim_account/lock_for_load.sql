-- One commit of an account at a time, across datasets: they share the articles. Waits for the
-- others, account by account in one order, so that commits that share accounts never deadlock.
SELECT pg_advisory_xact_lock(hashtextextended(appid, 0))
FROM (
    SELECT appid
    FROM unnest(cast(:appids AS text[])) AS account (appid)
    ORDER BY appid
) AS account
