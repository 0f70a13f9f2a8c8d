-- An answer that differs from the pair's newest: one new row.
INSERT INTO weixin.raw_response (
    dataset, appid, publication_date, body, body_sha256, fetched_at, last_seen_at
)
VALUES (:dataset, :appid, :publication_date, :body, :hash, :fetched_at, :fetched_at)
RETURNING raw_response_id
