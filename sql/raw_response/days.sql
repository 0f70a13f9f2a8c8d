-- Return the days in a range for which answers of an account are kept: one row per day, in order.
SELECT DISTINCT day
FROM weixin.raw_response
WHERE
    dataset = :dataset
    AND appid = :appid
    AND (cast(:begin_date AS date) IS NULL OR day >= :begin_date)
    AND (cast(:end_date AS date) IS NULL OR day <= :end_date)
ORDER BY day
