-- Which of an account's days list articles that must get a row of `yesterday`, and whether one has
-- it: one row per account, yesterday and publication day whose newest answer lists an article. What
-- was fetched later than `as_of` says nothing about WeChat at that time.
-- An article that only another dataset lists says nothing.
SELECT
    answered.appid,
    answered.yesterday,
    answered.as_of,
    coverage.publication_date,
    bool_or(
        EXISTS (
            SELECT FROM weixin.{{ fact }} AS fact
            WHERE
                fact.appid = article.appid
                AND fact.msgid = article.msgid
                AND fact.stat_date = answered.yesterday
                AND fact.fetched_at <= answered.as_of
        )
    ) AS has_yesterday
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:yesterdays AS date[]),
        cast(:as_ofs AS timestamptz[])
    ) AS answered (dataset, appid, yesterday, as_of)
INNER JOIN weixin.coverage
    ON
        answered.dataset = coverage.dataset
        AND answered.appid = coverage.appid
        AND coverage.publication_date
        BETWEEN answered.yesterday - {{ window }} + 1 AND answered.yesterday
INNER JOIN weixin.dim_article AS article
    ON
        coverage.appid = article.appid
        AND coverage.publication_date = article.publication_date
INNER JOIN weixin.article_sighting AS sighting
    ON
        coverage.dataset = sighting.dataset
        AND article.appid = sighting.appid
        AND article.msgid = sighting.msgid
INNER JOIN weixin.raw_response AS listing
    ON
        sighting.raw_response_id = listing.raw_response_id
        AND coverage.fetched_at <= listing.last_seen_at
GROUP BY answered.appid, answered.yesterday, answered.as_of, coverage.publication_date
