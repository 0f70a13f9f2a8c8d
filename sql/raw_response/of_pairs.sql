-- Every answer of some pairs (account, day): one row each, pair by pair, oldest first.
SELECT
    raw.appid,
    raw.day,
    raw.raw_response_id,
    raw.body,
    raw.fetched_at,
    raw.last_seen_at
FROM unnest(
        cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
    ) AS pair (dataset, appid, day)
INNER JOIN weixin.raw_response AS raw
    ON
        pair.dataset = raw.dataset
        AND pair.appid = raw.appid
        AND pair.day = raw.day
ORDER BY raw.appid, raw.day, raw.last_seen_at, raw.fetched_at, raw.raw_response_id
