-- Pairs that rest, of accounts of which an answer fetched later, or their own newest one, lists an
-- article: they are asked for again.
UPDATE weixin.coverage
SET is_resting = FALSE
FROM unnest(
        cast(:appids AS text[]),
        cast(:heard_ats AS timestamptz[])
    ) AS heard (appid, heard_at)
WHERE
    coverage.dataset = :dataset
    AND coverage.appid = heard.appid
    AND NOT coverage.is_final
    AND coverage.is_resting
    AND (coverage.fetched_at < heard.heard_at OR coverage.article_count > 0)
