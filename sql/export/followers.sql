-- Return the followers of accounts on the days of a period: one row per account and day.
SELECT
    appid,
    account_name,
    stat_date,
    cumulate_user,
    won,
    lost,
    net,
    is_complete
FROM analytics.follower_total
WHERE stat_date BETWEEN :begin AND :end AND appid = any(:appids)
ORDER BY appid, stat_date
