-- Every answer of some pairs (account, publication day): one row each, oldest first.
{% from "raw_response/macros.jinja" import age %}
SELECT
    raw.appid,
    raw.publication_date,
    raw.raw_response_id,
    raw.body_zstd,
    raw.fetched_at,
    raw.last_seen_at
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS pair (dataset, appid, publication_date)
INNER JOIN weixin.raw_response AS raw
    ON
        pair.dataset = raw.dataset
        AND pair.appid = raw.appid
        AND pair.publication_date = raw.publication_date
ORDER BY {{ age("raw") }}
