-- Correct the time since which articles are no longer listed: one row per article whose time
-- changes. A replay of all kept answers has computed the times.
UPDATE weixin.dim_article AS article
SET unlisted_since = article.unlisted_since || jsonb_build_object('{{ dataset.name }}', unlisted.at)
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS unlisted (
        appid text, day date, msgid text, at timestamptz
    )
WHERE
    article.appid = unlisted.appid
    AND article.msgid = unlisted.msgid
    AND article.publication_date = unlisted.day
    AND article.unlisted_since ? '{{ dataset.name }}'
    AND cast(article.unlisted_since ->> '{{ dataset.name }}' AS timestamptz)
    IS DISTINCT FROM unlisted.at
