-- Return the three most read articles of some publication days: one row per article, by its newest
-- total.
SELECT
    article.title,
    newest.publication_date AS publication_day,
    newest.readers
FROM (
    SELECT DISTINCT ON (appid, msgid)
        appid,
        msgid,
        publication_date,
        {{ dataset.readers }} AS readers
    FROM weixin.{{ fact }}
    WHERE
        publication_date = any(cast(:days AS date[]))
        AND {{ dataset.readers }} IS NOT NULL
    ORDER BY appid ASC, msgid ASC, stat_date DESC
) AS newest
INNER JOIN weixin.dim_article AS article
    ON newest.appid = article.appid AND newest.msgid = article.msgid
ORDER BY newest.readers DESC, newest.publication_date DESC, newest.msgid ASC
LIMIT 3
