-- Return the settled days of some accounts since a day: one row per account with settled days.
SELECT
    appid,
    array_agg(day) AS days
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = any(:appids)
    AND day >= :since
    AND settled IS NOT NULL
GROUP BY appid
