-- The publication days of some accounts whose answers list an article that another day's list, too:
-- one row each.
SELECT DISTINCT
    article.appid,
    listed.publication_date
FROM weixin.dim_article AS article
CROSS JOIN
    LATERAL unnest(
        article.publication_date || article.other_publication_dates
    ) AS listed (publication_date)
WHERE article.appid = any(:appids) AND article.other_publication_dates IS NOT NULL
