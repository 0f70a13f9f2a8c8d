-- The articles of a dataset, in the order that is asked for: one row each, with its account, its
-- newest totals, its readers by day number, and how many there are on all pages. Only the order by
-- readers needs the totals of all articles.
{% from "page/articles.jinja" import found, newest_totals %}
WITH {{ found(dataset) }},

ordering_totals AS (
    SELECT totals.*
    FROM (
        {{ newest_totals(dataset) | indent(8) }}
    ) AS totals
    WHERE :sort = 'readers'
),

listed AS (
    SELECT
        found.*,
        gained.readers AS gained,
        count(*) OVER () AS article_count,
        row_number() OVER (
            ORDER BY
                CASE :sort
                    WHEN 'gained' THEN gained.readers
                    WHEN 'readers' THEN ordering_totals.readers
                END DESC NULLS LAST,
                found.publication_date DESC,
                found.name ASC,
                found.position ASC,
                found.msgid ASC
        ) AS place
    FROM found
    LEFT JOIN gained ON found.appid = gained.appid AND found.msgid = gained.msgid
    LEFT JOIN ordering_totals
        ON found.appid = ordering_totals.appid AND found.msgid = ordering_totals.msgid
    ORDER BY place
    LIMIT
        :most
        OFFSET :offset
)

SELECT
    listed.*,
    grown.readers,
    grown.sharers,
    coalesce(coverage.settled = 'final', FALSE) AS is_final,
    coalesce(grown.by_day, '[]') AS by_day
FROM listed
LEFT JOIN weixin.coverage AS coverage
    ON
        listed.appid = coverage.appid
        AND listed.publication_date = coverage.day
        AND coverage.dataset = :dataset
LEFT JOIN LATERAL (
    SELECT
        (array_agg(fact.{{ dataset.readers }} ORDER BY fact.stat_date DESC))[1] AS readers,
        (array_agg(fact.share_user ORDER BY fact.stat_date DESC))[1] AS sharers,
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
