-- The three most read articles of some publication days: one row each, by its newest total.
WITH newest AS (
    SELECT DISTINCT ON (appid, msgid)
        appid,
        msgid,
        int_page_read_user
    FROM weixin.fact_article_total
    WHERE
        publication_date = any(cast(:publication_dates AS date[]))
        AND int_page_read_user IS NOT NULL
    ORDER BY appid ASC, msgid ASC, stat_date DESC
)

SELECT
    article.title,
    article.publication_date,
    newest.int_page_read_user
FROM newest
INNER JOIN weixin.dim_article AS article
    ON newest.appid = article.appid AND newest.msgid = article.msgid
ORDER BY newest.int_page_read_user DESC, article.publication_date DESC, article.msgid ASC
LIMIT 3
