-- The articles of a dataset, in the order that is asked for: one row each, with its account, its
-- newest totals, its readers by day number, and how many there are on all pages.
{% from "page/articles.jinja" import counted %}
WITH {{ counted(dataset) }},

listed AS (
    SELECT
        counted.*,
        count(*) OVER () AS article_count,
        row_number() OVER (
            ORDER BY
                CASE :sort
                    WHEN 'gained' THEN gained
                    WHEN 'readers' THEN readers
                END DESC NULLS LAST,
                CASE :sort WHEN 'gained' THEN readers END DESC NULLS LAST,
                publication_date DESC,
                name ASC,
                position ASC,
                msgid ASC
        ) AS place
    FROM counted
    ORDER BY place
    LIMIT
        :most
        OFFSET :offset
)

SELECT
    listed.*,
    coalesce(pair.settled = 'final', FALSE) AS is_final,
    coalesce(grown.by_day, '[]') AS by_day
FROM listed
LEFT JOIN weixin.coverage AS pair
    ON
        listed.appid = pair.appid
        AND listed.publication_date = pair.day
        AND pair.dataset = :dataset
LEFT JOIN LATERAL (
    SELECT
        jsonb_agg(
            jsonb_build_array(
                fact.stat_date - fact.publication_date + 1, fact.{{ dataset.readers }}
            )
            ORDER BY fact.stat_date
        ) AS by_day
    FROM weixin.{{ fact }} AS fact
    WHERE
        fact.appid = listed.appid
        AND fact.msgid = listed.msgid
        AND fact.{{ dataset.readers }} IS NOT NULL
) AS grown ON TRUE
ORDER BY listed.place
