-- Which of an account's days list articles that must get a row of `yesterday`, and whether one has
-- it: one row per yesterday and publication day whose newest answer lists an article.
-- An article that only another dataset lists says nothing.
-- The account is a sub-select for the reason given in fact/load.sql.
SELECT
    answered.yesterday,
    coverage.publication_date,
    bool_or(fact.msgid IS NOT NULL) AS has_yesterday
FROM unnest(cast(:yesterdays AS date[])) AS answered (yesterday)
INNER JOIN weixin.coverage
    ON
        coverage.dataset = :dataset
        AND coverage.appid = (SELECT :appid)
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
        AND coverage.fetched_at <= sighting.last_seen_at
LEFT JOIN weixin.{{ fact }} AS fact
    ON
        article.appid = fact.appid
        AND article.msgid = fact.msgid
        AND answered.yesterday = fact.stat_date
GROUP BY answered.yesterday, coverage.publication_date
