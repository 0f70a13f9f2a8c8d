-- Return the totals and increments of articles on the days of a period: one row per article and
-- day.
SELECT
    appid,
    account_name,
    msgid,
    title,
    publication_date,
    endpoint,
    stat_date,
    day_number,
    days_spanned,
    is_final,
    readers,
    readers_increment,
    sharers,
    sharers_increment,
    favourites,
    favourites_increment
FROM analytics.article_day
WHERE stat_date BETWEEN :begin AND :end AND appid = any(:appids)
ORDER BY appid, stat_date, msgid
