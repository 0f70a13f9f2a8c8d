-- What tasks have found that coverage does not say: one row each, of some datasets.
SELECT
    dataset,
    source,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    error_code AS errcode,
    found_at
FROM weixin.finding
WHERE dataset = any(:datasets)
ORDER BY found_at, kind, account
