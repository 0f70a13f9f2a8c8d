-- Return how many days of accounts in a range have an answer whose bytes were pruned: one row.
SELECT count(*)
FROM (
    SELECT DISTINCT
        appid,
        day
    FROM weixin.raw_response
    WHERE
        dataset = :dataset
        AND appid = any(:appids)
        AND (cast(:begin_date AS date) IS NULL OR day >= :begin_date)
        AND (cast(:end_date AS date) IS NULL OR day <= :end_date)
        AND body IS NULL
) AS pruned_day
