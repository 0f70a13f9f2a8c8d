-- Articles of some pairs that the dataset's newest ready answer no longer lists: one row each.
UPDATE weixin.article_sighting AS sighting
SET unlisted_since = pair.at
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS pair (
        appid text, day date, msgids text[], at timestamptz
    )
INNER JOIN weixin.dim_article AS article
    ON pair.appid = article.appid AND pair.day = article.publication_date
WHERE
    sighting.dataset = :dataset
    AND sighting.appid = article.appid
    AND sighting.msgid = article.msgid
    AND sighting.unlisted_since IS NULL
    AND NOT article.msgid = any(pair.msgids)
