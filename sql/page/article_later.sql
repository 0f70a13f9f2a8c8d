-- An account's articles whose totals have stopped growing, by their readers of the latest day: one
-- row each, most first. An article that no publication day lists has no title.
SELECT
    fact.msgid,
    article.title,
    article.publication_date,
    fact.stat_date,
    fact.stat_date - article.publication_date + 1 AS day_number,
    fact.{{ dataset.readers }} AS readers
FROM weixin.{{ fact }} AS fact
LEFT JOIN weixin.dim_article AS article
    ON fact.appid = article.appid AND fact.msgid = article.msgid
WHERE
    fact.appid = :appid
    AND fact.stat_date = (
        SELECT max(newest.stat_date)
        FROM weixin.{{ fact }} AS newest
        WHERE newest.appid = :appid
    )
    AND coalesce(fact.stat_date - article.publication_date >= :window, TRUE)
ORDER BY readers DESC NULLS LAST, fact.msgid ASC
LIMIT :most
