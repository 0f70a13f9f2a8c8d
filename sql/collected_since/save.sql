-- Save the accounts that a daily run collects: one row each, with the first day that daily runs
-- collect and the number of days that this run catches up.
INSERT INTO weixin.collected_since AS stored (appid, dataset, since_date, catch_up_days)
SELECT
    appid,
    :dataset,
    :since_date,
    :catch_up_days
FROM unnest(cast(:appids AS text[])) AS collected (appid)
ON CONFLICT (appid, dataset) DO UPDATE SET
    since_date = least(stored.since_date, excluded.since_date),
    catch_up_days = excluded.catch_up_days
WHERE
stored.since_date > excluded.since_date OR stored.catch_up_days != excluded.catch_up_days
