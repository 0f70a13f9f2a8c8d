-- Return the days in a range for which all answers of an account are kept with their bytes: one row
-- per day, in order.
SELECT day
FROM weixin.raw_response
WHERE
    dataset = :dataset
    AND appid = :appid
    AND (cast(:begin_date AS date) IS NULL OR day >= :begin_date)
    AND (cast(:end_date AS date) IS NULL OR day <= :end_date)
GROUP BY day
HAVING bool_and(body IS NOT NULL)
ORDER BY day
