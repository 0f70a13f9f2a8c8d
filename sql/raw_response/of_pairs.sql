-- Every answer of some datasets and pairs (account, day): one row each, pair by pair, oldest first.
SELECT
    raw.dataset,
    raw.appid,
    raw.day,
    raw.raw_response_id,
    raw.body,
    raw.fetched_at,
    raw.last_seen_at
FROM unnest(cast(:appids AS text[]), cast(:days AS date[])) AS pair (appid, day)
CROSS JOIN unnest(cast(:datasets AS text[])) AS wanted (dataset)
INNER JOIN weixin.raw_response AS raw
    ON
        wanted.dataset = raw.dataset
        AND pair.appid = raw.appid
        AND pair.day = raw.day
ORDER BY raw.appid, raw.day, raw.last_seen_at, raw.fetched_at, raw.raw_response_id
