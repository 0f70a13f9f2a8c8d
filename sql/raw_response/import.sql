-- Insert imported answers that are not kept already: one row per answer. Equal answers fetched at
-- different times keep separate rows, so the order of import does not change the result.
INSERT INTO weixin.raw_response (
    dataset, appid, day, body, body_sha256, fetched_at, last_seen_at
)
SELECT DISTINCT ON (dataset, appid, day, fetched_at, body_sha256)
    dataset,
    appid,
    day,
    decode(body, 'hex'),
    decode(body_sha256, 'hex'),
    fetched_at,
    fetched_at AS last_seen_at
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS imported (
        dataset text,
        appid text,
        day date,
        body text,
        body_sha256 text,
        fetched_at timestamptz
    )
WHERE
    NOT EXISTS (
        SELECT
        FROM weixin.raw_response AS kept
        WHERE
            kept.dataset = imported.dataset
            AND kept.appid = imported.appid
            AND kept.day = imported.day
            AND kept.body_sha256 = decode(imported.body_sha256, 'hex')
            AND imported.fetched_at BETWEEN kept.fetched_at AND kept.last_seen_at
    )
