-- Accounts that a daily run collects: one row each, with the first day that daily runs are to bring
-- in, and how far this one reaches.
INSERT INTO weixin.collected_since AS known (appid, dataset, since_date, catch_up_days)
SELECT
    appid,
    :dataset,
    :since_date,
    :catch_up_days
FROM unnest(cast(:appids AS text[])) AS collected (appid)
ON CONFLICT (appid, dataset) DO UPDATE SET
    since_date = least(known.since_date, excluded.since_date),
    catch_up_days = excluded.catch_up_days
WHERE
known.since_date > excluded.since_date OR known.catch_up_days != excluded.catch_up_days
