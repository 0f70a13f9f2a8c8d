-- The parts of new answers that do not fit: one row each.
INSERT INTO weixin.rejected_row (
    dataset,
    appid,
    publication_date,
    msgid,
    stat_date,
    metric,
    reason,
    payload,
    raw_response_id,
    rejected_at
)
SELECT
    :dataset,
    appid,
    publication_date,
    msgid,
    stat_date,
    metric,
    reason,
    payload,
    raw_response_id,
    :rejected_at
FROM unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[]),
        cast(:msgids AS text[]),
        cast(:stat_dates AS date[]),
        cast(:metrics AS text[]),
        cast(:reasons AS text[]),
        cast(:payloads AS text[]),
        cast(:raw_response_ids AS bigint[])
    ) AS rejected (
        appid, publication_date, msgid, stat_date, metric, reason, payload, raw_response_id
    )
