-- An article: one row, with its account.
SELECT
    article.appid,
    article.msgid,
    article.title,
    article.publication_date,
    account.name
FROM weixin.dim_article AS article
INNER JOIN weixin.dim_account AS account ON article.appid = account.appid
WHERE
    article.appid = :appid
    AND article.msgid = :msgid
    AND article.unlisted_since ? :dataset
