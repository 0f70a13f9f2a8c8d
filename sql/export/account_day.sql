-- Return what all articles of accounts gained on the days of a period: one row per account and day.
SELECT
    appid,
    account_name,
    calendar_date,
    articles_published,
    endpoint,
    readers_increment,
    sharers_increment,
    favourites_increment,
    readers_comparable,
    sharers_comparable,
    favourites_comparable,
    counting,
    is_complete
FROM analytics.account_day
WHERE calendar_date BETWEEN :begin AND :end AND appid = any(:appids)
ORDER BY appid, calendar_date
