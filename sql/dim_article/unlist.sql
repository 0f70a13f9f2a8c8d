-- Mark the articles that the newest ready answer of their publication day no longer lists: one row
-- per article.
{% from "analytics/macros.jinja" import is_listed %}
UPDATE weixin.dim_article AS article
SET unlisted_since = article.unlisted_since || jsonb_build_object('{{ dataset.name }}', answer.at)
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS answer (
        appid text, day date, msgids text[], at timestamptz
    )
WHERE
    article.appid = answer.appid
    AND article.publication_date = answer.day
    AND {{ is_listed("article", dataset) }}
    AND NOT article.msgid = any(answer.msgids)
