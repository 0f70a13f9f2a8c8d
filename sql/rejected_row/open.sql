-- Rejected parts that are not resolved, of the pairs (account, publication day) that some answers
-- concern: one row each. These are the days that were answered, and other days with such a part of
-- an article that is listed now. Of a part's text, which may be long, the SHA-256.
SELECT
    rejected.appid,
    rejected.publication_date,
    rejected.rejected_row_id,
    rejected.raw_response_id,
    rejected.msgid,
    rejected.stat_date,
    rejected.metric,
    rejected.reason,
    sha256(convert_to(rejected.payload, 'UTF8')) AS payload_sha256
FROM (
    SELECT DISTINCT
        concerned.appid,
        concerned.publication_date
    FROM jsonb_to_recordset(cast(:listings AS jsonb)) AS listed (
            appid text, publication_date date, msgids text[]
        )
    INNER JOIN weixin.rejected_row AS concerned
        ON
            concerned.resolved_at IS NULL
            AND listed.appid = concerned.appid
            AND (
                listed.publication_date = concerned.publication_date
                OR concerned.msgid = any(listed.msgids)
            )
    WHERE concerned.dataset = :dataset
) AS pair
INNER JOIN weixin.rejected_row AS rejected
    ON
        pair.appid = rejected.appid
        AND pair.publication_date = rejected.publication_date
WHERE
    rejected.dataset = :dataset
    AND rejected.resolved_at IS NULL
