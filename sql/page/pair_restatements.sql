-- The figures of a pair that were given another value, or one where they had none: one
-- row each, newest first, with how many there are. Without OFFSET 0 the planner reads the account's
-- whole history.
SELECT
    article.title,
    restatement.msgid,
    restatement.stat_date,
    restatement.metric,
    restatement.kind,
    restatement.old_value,
    restatement.new_value,
    restatement.cause,
    restatement.changed_at,
    count(*) OVER () AS restatement_count
{% if dataset.describes_articles %}
FROM weixin.dim_article AS article
CROSS JOIN
    LATERAL (
        SELECT *
        FROM analytics.restatement
        WHERE
            restatement.dataset = :dataset
            AND restatement.appid = article.appid
            AND restatement.msgid = article.msgid
        OFFSET 0 -- noqa: AM09
    ) AS restatement
WHERE article.appid = :appid AND article.publication_date = cast(:day AS date)
{% else %}
FROM analytics.restatement
LEFT JOIN weixin.dim_article AS article
    ON restatement.appid = article.appid AND restatement.msgid = article.msgid
WHERE
    restatement.dataset = :dataset
    AND restatement.appid = :appid
    AND restatement.stat_date = cast(:day AS date)
{% endif %}
ORDER BY
    restatement.changed_at DESC,
    restatement.msgid ASC,
    restatement.stat_date ASC,
    restatement.metric ASC
LIMIT :most
