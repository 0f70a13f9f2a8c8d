-- Whether an account has articles still counting on a day, and how many have that day's row.
-- One row. No row of any of them means that WeChat has not computed the day yet.
-- Articles of a day that only another dataset was asked for say nothing.
-- The account is a sub-select for the reason given in fact/load.sql.
SELECT
    count(article.msgid) AS counting,
    count(fact.msgid) AS ready
FROM weixin.dim_article AS article
LEFT JOIN weixin.{{ fact }} AS fact
    ON
        article.appid = fact.appid
        AND article.msgid = fact.msgid
        AND fact.stat_date = :stat_date
WHERE
    article.appid = (SELECT :appid)
    AND article.publication_date BETWEEN :first_publication_date AND :stat_date
    AND EXISTS (
        SELECT FROM weixin.raw_response
        WHERE
            raw_response.dataset = :dataset
            AND raw_response.appid = article.appid
            AND raw_response.publication_date = article.publication_date
    )
