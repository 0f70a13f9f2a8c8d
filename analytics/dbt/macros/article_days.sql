{#
The rows of a view of article days that a table of them lacks or has otherwise.

A row may change long after it was read, and mostly its changed_at stays: a later row makes it no
longer the latest, its window ends, an earlier row of the article is corrected, the article gets
another title or publication day. So the articles of whole publication days are compared again:
those whose answers were fetched since the newest change that the table has, less a day, as a load may be
committed after one that began later; those of which a figure changed, which a replay does without an
answer; and those that the table has not as final, by an earlier name of the account or by an earlier
title of an article.
#}
{% macro article_days(view) %}
{% if is_incremental() %}
{{ fail_on_other_columns(source("weixin", view)) }}
WITH since AS (
    SELECT coalesce(max(changed_at), '-infinity') - interval '1 day' AS since_at
    FROM {{ this }}
),

concerned AS (
    SELECT slice.day AS publication_date
    FROM {{ source("weixin", "coverage") }} AS slice
    INNER JOIN since ON since.since_at <= slice.fetched_at
    UNION
    SELECT day.publication_date
    FROM {{ source("weixin", view) }} AS day
    INNER JOIN since ON since.since_at <= day.changed_at
    UNION
    SELECT known.publication_date
    FROM {{ this }} AS known
    INNER JOIN {{ source("weixin", "article_listed") }} AS article
        ON known.appid = article.appid AND known.msgid = article.msgid
    WHERE
        NOT known.is_final
        OR known.account_name != article.account_name
        OR known.title IS DISTINCT FROM article.title
)

SELECT * FROM {{ source("weixin", view) }}
WHERE publication_date = any(ARRAY(SELECT concerned.publication_date FROM concerned))
EXCEPT
SELECT * FROM {{ this }}
WHERE publication_date = any(ARRAY(SELECT concerned.publication_date FROM concerned))
{% else %}
SELECT * FROM {{ source("weixin", view) }}
{% endif %}
{% endmacro %}
