-- Articles of some pairs that the dataset's newest ready answer no longer lists: one row each.
{% from "analytics/macros.jinja" import is_listed %}
UPDATE weixin.dim_article AS article
SET unlisted_since = article.unlisted_since || jsonb_build_object('{{ dataset.name }}', pair.at)
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS pair (
        appid text, day date, msgids text[], at timestamptz
    )
WHERE
    article.appid = pair.appid
    AND article.publication_date = pair.day
    AND {{ is_listed("article", dataset) }}
    AND NOT article.msgid = any(pair.msgids)
