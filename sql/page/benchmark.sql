-- What is usual for an account: one row per position in the message and day number.
SELECT
    position,
    day_number,
    article_count,
    lower_quartile,
    median,
    upper_quartile
FROM analytics.benchmark{{ dataset.suffix }}
WHERE appid = :appid
ORDER BY position, day_number
