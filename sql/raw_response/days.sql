-- Return the days in a range for which answers of an account are kept, and whether answers of the
-- day were pruned: one row per day, in order.
{% from "raw_response/macros.jinja" import is_pruned %}
SELECT
    answer.day,
    {{ is_pruned("answer", datasets) | indent }} AS is_pruned
FROM (
    SELECT DISTINCT
        dataset,
        appid,
        day
    FROM weixin.raw_response
    WHERE
        dataset = :dataset
        AND appid = :appid
        AND (cast(:begin_date AS date) IS NULL OR day >= :begin_date)
        AND (cast(:end_date AS date) IS NULL OR day <= :end_date)
) AS answer
ORDER BY answer.day
