-- Publication days of an account with an article that lacks a row of its window: one row a day.
-- Every article the dataset ever listed counts: an answer that omits one does not end the wait.
SELECT DISTINCT article.publication_date
FROM weixin.dim_article AS article
INNER JOIN weixin.article_sighting AS sighting
    ON
        sighting.dataset = :dataset
        AND article.appid = sighting.appid
        AND article.msgid = sighting.msgid
WHERE
    article.appid = (SELECT :appid)
    AND article.publication_date = any(:publication_dates)
    AND (
        SELECT count(*)
        FROM weixin.{{ fact }} AS fact
        WHERE
            fact.appid = article.appid
            AND fact.msgid = article.msgid
            AND fact.stat_date BETWEEN
            article.publication_date AND article.publication_date + {{ window }} - 1
    ) < {{ window }}
