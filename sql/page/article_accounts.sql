-- The accounts to choose from for their articles: one row per account of which there are any.
SELECT
    account.appid,
    account.name
FROM weixin.dim_account AS account
WHERE
    EXISTS (
        SELECT FROM weixin.dim_article AS article
        WHERE article.appid = account.appid AND article.unlisted_since ? :dataset
    )
ORDER BY account.is_active DESC, account.name ASC, account.appid ASC
