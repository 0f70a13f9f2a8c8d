-- The accounts to choose from for their articles: one row per account of which there are any.
SELECT
    account.appid,
    account.name
FROM weixin.dim_account AS account
WHERE
    EXISTS (
        SELECT FROM weixin.article_sighting AS sighting
        WHERE sighting.appid = account.appid AND sighting.dataset = :dataset
    )
ORDER BY account.is_active DESC, account.name ASC, account.appid ASC
