-- Return the newest totals of the articles that were published in a period: one row per article.
SELECT
    appid,
    account_name,
    msgid,
    publication_date,
    position,
    is_notified,
    title,
    url,
    endpoint,
    stat_date,
    day_number,
    is_final,
    readers,
    sharers,
    favourites,
    readers_day_1,
    readers_day_3,
    readers_day_7,
    is_listed
FROM analytics.article
WHERE publication_date BETWEEN :begin AND :end AND appid = any(:appids)
ORDER BY appid, publication_date, msgid
