-- Pairs with an article that lacks a row of its window: one row a pair.
-- Every article the dataset ever listed counts: an answer that omits one does not end the wait.
SELECT DISTINCT
    article.appid,
    article.publication_date
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS pair (dataset, appid, publication_date)
INNER JOIN weixin.dim_article AS article
    ON
        pair.appid = article.appid
        AND pair.publication_date = article.publication_date
INNER JOIN weixin.article_sighting AS sighting
    ON
        pair.dataset = sighting.dataset
        AND article.appid = sighting.appid
        AND article.msgid = sighting.msgid
WHERE
    (
        SELECT count(*)
        FROM weixin.{{ fact }} AS fact
        WHERE
            fact.appid = article.appid
            AND fact.msgid = article.msgid
            AND fact.stat_date BETWEEN
            article.publication_date AND article.publication_date + {{ window }} - 1
    ) < {{ window }}
