-- Move fact rows to the later publication day of articles that two publication days list: one row
-- per moved fact row. No figure changes, so changed_at stays and the history gets no row.
UPDATE weixin.{{ fact }} AS fact
SET publication_date = article.publication_date
FROM unnest(cast(:appids AS text[]), cast(:msgids AS text[])) AS moved (appid, msgid)
INNER JOIN weixin.dim_article AS article
    ON moved.appid = article.appid AND moved.msgid = article.msgid
WHERE
    fact.appid = moved.appid
    AND fact.msgid = moved.msgid
    AND fact.publication_date != article.publication_date
