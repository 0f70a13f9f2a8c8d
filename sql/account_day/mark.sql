-- Mark account days as stale: one row per dataset and account, from the first day that changed.
INSERT INTO weixin.account_day_state AS state (dataset, appid, stale_from)
SELECT
    dataset,
    appid,
    min(day)
FROM unnest(
        cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
    ) AS changed (dataset, appid, day)
GROUP BY dataset, appid
ORDER BY dataset, appid
ON CONFLICT (dataset, appid) DO UPDATE
    SET stale_from = excluded.stale_from
    WHERE coalesce(state.stale_from > excluded.stale_from, TRUE)
