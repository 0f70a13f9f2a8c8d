-- Accounts of which so many days or more after their newest publication day were answered and list
-- nothing: one row each, with that day and how many.
SELECT
    newest.appid,
    newest.last_date,
    later.day_count
FROM (
    SELECT
        appid,
        max(day) AS last_date
    FROM weixin.coverage
    WHERE dataset = :dataset AND appid = any(:appids) AND article_count > 0
    GROUP BY appid
) AS newest
CROSS JOIN
    LATERAL (
        SELECT count(*) AS day_count
        FROM weixin.coverage
        WHERE
            dataset = :dataset
            AND appid = newest.appid
            AND day > newest.last_date
            AND ready_at IS NOT NULL
    ) AS later
WHERE later.day_count >= :days
ORDER BY newest.appid
