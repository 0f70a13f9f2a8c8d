-- The parts of a pair's answers that did not fit: one row per reason.
SELECT
    rejected.reason,
    count(*) AS part_count,
    max(rejected.rejected_at) AS rejected_at
FROM weixin.raw_response AS answer
INNER JOIN weixin.rejected_row AS rejected ON answer.raw_response_id = rejected.raw_response_id
WHERE
    answer.dataset = :dataset
    AND answer.appid = :appid
    AND answer.day = cast(:day AS date)
GROUP BY rejected.reason
ORDER BY part_count DESC, rejected.reason ASC
LIMIT :most
