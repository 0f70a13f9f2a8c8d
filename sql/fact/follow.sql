-- Rows of staged articles whose publication day has moved: one row each. They follow their article.
-- No figure of them changes, so changed_at stays and the history gets no row.
UPDATE weixin.{{ fact }} AS fact
SET publication_date = article.publication_date
FROM staged_article AS staged
INNER JOIN weixin.dim_article AS article
    ON staged.appid = article.appid AND staged.msgid = article.msgid
WHERE
    article.other_publication_dates IS NOT NULL
    AND fact.appid = staged.appid
    AND fact.msgid = staged.msgid
    AND fact.publication_date != article.publication_date
