-- Return when an answer last listed an article: one row per account, by each day's newest ready
-- answer.
SELECT
    appid,
    max(ready_at) AS last_article_at
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = any(:appids)
    AND list_sha256 != sha256('')
GROUP BY appid
