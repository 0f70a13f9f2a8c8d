-- Of the articles that some pairs list, those that answers list under another publication day, too:
-- one row per article and pair, with all the days known.
SELECT
    listing.appid,
    listed.msgid,
    article.publication_date || coalesce(article.other_publication_dates, '{}') AS publication_dates
FROM jsonb_to_recordset(cast(:listings AS jsonb)) AS listing (
        appid text,
        publication_date date,
        msgids text[]
    )
CROSS JOIN LATERAL unnest(listing.msgids) AS listed (msgid)
INNER JOIN weixin.dim_article AS article
    ON listing.appid = article.appid AND listed.msgid = article.msgid
WHERE
    listing.publication_date != article.publication_date
    OR article.other_publication_dates IS NOT NULL
