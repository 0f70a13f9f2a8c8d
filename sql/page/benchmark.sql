-- What is usual for an account: one row per position in the message and day number.
SELECT
    position,
    day_number,
    article_count,
    lower_quartile,
    median,
    upper_quartile
FROM analytics.benchmark
WHERE dataset = :dataset AND appid = :appid AND article_count > 0
ORDER BY position, day_number
