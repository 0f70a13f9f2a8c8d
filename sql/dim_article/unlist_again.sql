-- Since when no answer of their publication day has listed articles, found anew by a fold of all
-- its kept answers: one row each that is not so already.
UPDATE weixin.dim_article AS article
SET unlisted_since = article.unlisted_since || jsonb_build_object('{{ dataset.name }}', said.at)
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS said (
        appid text, day date, msgid text, at timestamptz
    )
WHERE
    article.appid = said.appid
    AND article.msgid = said.msgid
    AND article.publication_date = said.day
    AND article.unlisted_since ? '{{ dataset.name }}'
    AND cast(article.unlisted_since ->> '{{ dataset.name }}' AS timestamptz)
    IS DISTINCT FROM said.at
