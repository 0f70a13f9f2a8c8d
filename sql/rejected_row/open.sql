-- Rejected parts of some pairs' answers that are not resolved: one row each. Of a part's text,
-- which may be long, the SHA-256.
SELECT
    rejected.rejected_row_id,
    rejected.raw_response_id,
    rejected.msgid,
    rejected.stat_date,
    rejected.metric,
    rejected.reason,
    sha256(convert_to(rejected.payload, 'UTF8')) AS payload_sha256
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS pair (dataset, appid, publication_date)
INNER JOIN weixin.rejected_row AS rejected
    ON
        pair.dataset = rejected.dataset
        AND pair.appid = rejected.appid
        AND pair.publication_date = rejected.publication_date
WHERE rejected.resolved_at IS NULL
