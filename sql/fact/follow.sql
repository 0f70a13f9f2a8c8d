-- Rows of articles that two publication days list, as far as they are of the earlier one: one row
-- each. They follow their article to the later one. No figure of them changes, so changed_at stays
-- and the history gets no row.
UPDATE weixin.{{ fact }} AS fact
SET publication_date = article.publication_date
FROM unnest(cast(:appids AS text[]), cast(:msgids AS text[])) AS moved (appid, msgid)
INNER JOIN weixin.dim_article AS article
    ON moved.appid = article.appid AND moved.msgid = article.msgid
WHERE
    fact.appid = moved.appid
    AND fact.msgid = moved.msgid
    AND fact.publication_date != article.publication_date
