-- When an article of some accounts was last listed, by their newest ready answers: one row each.
SELECT
    appid,
    max(ready_at) AS heard_at
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = any(:appids)
    AND list_sha256 != sha256('')
GROUP BY appid
