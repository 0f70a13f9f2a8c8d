-- The newest articles of a dataset: one row each, with its account, its sharers so far, its readers
-- by day number, and how many there are on all pages.
WITH listed AS (
    SELECT
        article.appid,
        article.msgid,
        article.title,
        article.position,
        article.publication_date,
        account.name,
        count(*) OVER () AS article_count
    FROM weixin.dim_article AS article
    INNER JOIN weixin.dim_account AS account ON article.appid = account.appid
    WHERE
        article.publication_date >= :since
        AND article.unlisted_since ? :dataset
        AND (
            :search = ''
            OR strpos(
                lower(concat_ws(' ', account.name, account.appid, account.conn_id, article.title)),
                lower(:search)
            ) > 0
        )
    ORDER BY
        article.publication_date DESC, account.name ASC, article.position ASC, article.msgid ASC
    LIMIT
        :most
        OFFSET :offset
)

SELECT
    listed.appid,
    listed.name,
    listed.title,
    listed.publication_date,
    listed.article_count,
    coalesce(pair.settled = 'final', FALSE) AS is_final,
    grown.sharers,
    coalesce(grown.readers, '[]') AS readers
FROM listed
LEFT JOIN weixin.coverage AS pair
    ON
        listed.appid = pair.appid
        AND listed.publication_date = pair.day
        AND pair.dataset = :dataset
LEFT JOIN LATERAL (
    SELECT
        (
            array_agg(fact.share_user ORDER BY fact.stat_date DESC)
            FILTER (WHERE fact.share_user IS NOT NULL)
        )[1] AS sharers,
        jsonb_agg(
            jsonb_build_array(
                fact.stat_date - fact.publication_date + 1, fact.{{ dataset.readers }}
            )
            ORDER BY fact.stat_date
        ) FILTER (WHERE fact.{{ dataset.readers }} IS NOT NULL) AS readers
    FROM weixin.{{ fact }} AS fact
    WHERE fact.appid = listed.appid AND fact.msgid = listed.msgid
) AS grown ON TRUE
ORDER BY
    listed.publication_date DESC, listed.name ASC, listed.position ASC, listed.msgid ASC
