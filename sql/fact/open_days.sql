-- Pairs with an article that lacks a row of its window: one row a pair.
-- Every article the dataset ever listed counts: an answer that omits one does not end the wait.
SELECT
    pair.appid,
    pair.publication_date
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS pair (dataset, appid, publication_date)
-- an aggregate, so that no plan begins with the articles of all pairs
WHERE
    (
        SELECT
            bool_or(
                (
                    SELECT count(*)
                    FROM weixin.{{ fact }} AS fact
                    WHERE
                        fact.appid = article.appid
                        AND fact.msgid = article.msgid
                        AND fact.stat_date BETWEEN
                        article.publication_date AND article.publication_date + {{ window }} - 1
                ) < {{ window }}
                AND EXISTS (
                    SELECT FROM weixin.article_sighting AS sighting
                    WHERE
                        sighting.dataset = pair.dataset
                        AND sighting.appid = article.appid
                        AND sighting.msgid = article.msgid
                )
            )
        FROM weixin.dim_article AS article
        WHERE article.appid = pair.appid AND article.publication_date = pair.publication_date
    )
