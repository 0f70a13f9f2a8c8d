-- How many answers of a dataset are kept of some pairs (account, day), and the compressed bytes of
-- all that a fold of them reads: one row each, in their order.
SELECT
    raw.appid,
    raw.day,
    count(*) FILTER (WHERE raw.dataset = :dataset) AS answer_count,
    sum(octet_length(raw.body)) AS byte_count
FROM unnest(cast(:appids AS text[]), cast(:days AS date[])) AS pair (appid, day)
CROSS JOIN unnest(cast(:datasets AS text[])) AS wanted (dataset)
INNER JOIN weixin.raw_response AS raw
    ON
        wanted.dataset = raw.dataset
        AND pair.appid = raw.appid
        AND pair.day = raw.day
GROUP BY raw.appid, raw.day
ORDER BY raw.appid, raw.day
