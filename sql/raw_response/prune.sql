-- Remove the bytes of answers of final days that were received last before an instant: those of the
-- first answers after an id, all answers of a day or none. Return one row: how many answers, their
-- compressed bytes, and the last id, which is NULL if there are no more.
WITH old AS (
    SELECT
        answer.raw_response_id,
        octet_length(answer.body) AS byte_count
    FROM weixin.raw_response AS answer
    INNER JOIN weixin.coverage
        ON
            answer.dataset = coverage.dataset
            AND answer.appid = coverage.appid
            AND answer.day = coverage.day
    WHERE
        answer.raw_response_id > :after
        AND answer.body IS NOT NULL
        AND coverage.settled = 'final'
        AND NOT EXISTS (
            SELECT
            FROM weixin.raw_response AS newer
            WHERE
                newer.dataset = answer.dataset
                AND newer.appid = answer.appid
                AND newer.day = answer.day
                AND newer.last_seen_at >= :before
        )
    ORDER BY answer.raw_response_id
    LIMIT :limit
),

pruned AS (
    UPDATE weixin.raw_response
    SET body = NULL
    FROM old
    WHERE raw_response.raw_response_id = old.raw_response_id AND :is_applied
)

SELECT
    count(*) AS answers,
    coalesce(sum(old.byte_count), 0) AS bytes,
    max(old.raw_response_id) AS last_id
FROM old
