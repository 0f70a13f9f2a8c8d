-- What the articles of each account have together: one row per account, those that gained most
-- first, with the day that these gains are of, and how many accounts there are.
{% from "page/articles.jinja" import counted %}
WITH {{ counted(dataset) }}

SELECT
    appid,
    name,
    count(*) AS article_count,
    cast(sum(readers) AS bigint) AS readers,
    cast(sum(sharers) AS bigint) AS sharers,
    cast(sum(gained) AS bigint) AS gained,
    max(max(gained_on)) OVER () AS gained_on,
    count(*) OVER () AS account_count
FROM counted
GROUP BY appid, name
ORDER BY gained DESC NULLS LAST, readers DESC NULLS LAST, name ASC, appid ASC
LIMIT :most
