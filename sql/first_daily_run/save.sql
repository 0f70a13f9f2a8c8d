-- A daily run collects these accounts: one row per account, with the earliest such day.
INSERT INTO weixin.first_daily_run AS known (dataset, appid, first_daily_date)
SELECT
    :dataset,
    appid,
    :today
FROM unnest(cast(:appids AS text[])) AS collected (appid)
ON CONFLICT (
    dataset, appid) DO UPDATE SET first_daily_date = excluded.first_daily_date
WHERE known.first_daily_date > excluded.first_daily_date
