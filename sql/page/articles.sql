-- An account's latest articles in a dataset: one row each, newest first, with its readers so far.
SELECT
    article.msgid,
    article.title,
    article.position,
    article.publication_date,
    coalesce(article.content_url, article.url) AS url,
    coalesce(growth.is_final, FALSE) AS is_final,
    growth.latest
FROM (
    SELECT listed.*
    FROM weixin.dim_article AS listed
    WHERE
        listed.appid = :appid
        AND EXISTS (
            SELECT FROM weixin.article_sighting AS sighting
            WHERE
                sighting.appid = listed.appid
                AND sighting.msgid = listed.msgid
                AND sighting.dataset = :dataset
        )
    ORDER BY listed.publication_date DESC, listed.position ASC, listed.msgid ASC
    LIMIT :most
) AS article
LEFT JOIN analytics.article_growth AS growth
    ON
        article.msgid = growth.msgid
        AND growth.dataset = :dataset
        AND growth.appid = :appid
        AND growth.metric = :readers
ORDER BY article.publication_date DESC, article.position ASC, article.msgid ASC
