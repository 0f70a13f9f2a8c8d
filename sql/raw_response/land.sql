-- Answers of an account that differ from the pair's newest: one new row each.
INSERT INTO weixin.raw_response (
    dataset, appid, publication_date, body, body_sha256, fetched_at, last_seen_at
)
SELECT
    :dataset,
    :appid,
    publication_date,
    body,
    body_sha256,
    fetched_at,
    fetched_at AS last_seen_at
FROM unnest(
        cast(:publication_dates AS date[]),
        cast(:bodies AS bytea[]),
        cast(:hashes AS bytea[]),
        cast(:fetched_ats AS timestamptz[])
    ) AS fetched (publication_date, body, body_sha256, fetched_at)
RETURNING publication_date, raw_response_id
