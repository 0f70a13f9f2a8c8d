-- What the articles of each account have together: one row per account, those that gained most
-- first, with the day of these gains, and how many accounts there are.
{% from "page/articles.jinja" import found, newest_totals %}
WITH {{ found(dataset) }},

totals AS (
    {{ newest_totals(dataset) | indent }}
)

SELECT
    found.appid,
    found.name,
    count(*) AS article_count,
    cast(sum(totals.readers) AS bigint) AS readers,
    cast(sum(totals.sharers) AS bigint) AS sharers,
    cast(sum(gained.readers) AS bigint) AS gained,
    max(max(gained.stat_date) FILTER (WHERE gained.readers IS NOT NULL)) OVER () AS gained_on,
    count(*) OVER () AS account_count
FROM found
LEFT JOIN totals ON found.appid = totals.appid AND found.msgid = totals.msgid
LEFT JOIN gained ON found.appid = gained.appid AND found.msgid = gained.msgid
GROUP BY found.appid, found.name
ORDER BY gained DESC NULLS LAST, readers DESC NULLS LAST, found.name ASC, found.appid ASC
LIMIT :most
