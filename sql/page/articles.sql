-- An account's latest articles in a dataset: one row each, newest first, with its readers so far.
SELECT
    article.msgid,
    article.title,
    article.position,
    article.publication_date,
    coalesce(article.content_url, article.url) AS url,
    coalesce(pair.settled = 'final', FALSE) AS is_final,
    newest.{{ dataset.readers }} AS latest
FROM (
    SELECT listed.*
    FROM weixin.dim_article AS listed
    WHERE listed.appid = :appid AND listed.unlisted_since ? :dataset
    ORDER BY listed.publication_date DESC, listed.position ASC, listed.msgid ASC
    LIMIT :most
) AS article
LEFT JOIN weixin.coverage AS pair
    ON
        article.appid = pair.appid
        AND article.publication_date = pair.day
        AND pair.dataset = :dataset
LEFT JOIN LATERAL (
    SELECT fact.{{ dataset.readers }}
    FROM weixin.{{ fact }} AS fact
    WHERE
        fact.appid = article.appid
        AND fact.msgid = article.msgid
        AND fact.{{ dataset.readers }} IS NOT NULL
    ORDER BY fact.stat_date DESC
    LIMIT 1
) AS newest ON TRUE
ORDER BY article.publication_date DESC, article.position ASC, article.msgid ASC
