-- Since when no answer of their publication day has listed articles, found anew by a fold of all
-- its kept answers: one row each that is not so already.
UPDATE weixin.article_sighting AS sighting
SET unlisted_since = said.at
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS said (
        appid text, day date, msgid text, at timestamptz
    )
INNER JOIN weixin.dim_article AS article
    ON
        said.appid = article.appid
        AND said.msgid = article.msgid
        AND said.day = article.publication_date
WHERE
    sighting.dataset = :dataset
    AND sighting.appid = said.appid
    AND sighting.msgid = said.msgid
    AND sighting.unlisted_since IS DISTINCT FROM said.at
