-- Return the accounts whose answers after their newest article list nothing for at least `:days`
-- days: one row per account, with the day of that article and the number of answered days since.
SELECT
    last_article.appid,
    last_article.last_date,
    later.day_count
FROM (
    SELECT
        appid,
        max(day) AS last_date
    FROM weixin.coverage
    WHERE dataset = :dataset AND appid = any(:appids) AND article_count > 0
    GROUP BY appid
) AS last_article
CROSS JOIN
    LATERAL (
        SELECT count(*) AS day_count
        FROM weixin.coverage
        WHERE
            dataset = :dataset
            AND appid = last_article.appid
            AND day > last_article.last_date
            AND ready_at IS NOT NULL
    ) AS later
WHERE later.day_count >= :days
ORDER BY last_article.appid
