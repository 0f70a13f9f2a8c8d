-- The figures and lists of a pair's articles that were given another value, or one where they had
-- none: one row each, newest first, with how many there are. Without OFFSET 0 the planner reads the
-- account's whole history.
SELECT
    article.title,
    restatement.msgid,
    restatement.stat_date,
    restatement.metric,
    restatement.kind,
    restatement.old_value,
    restatement.new_value,
    restatement.old_list IS NOT NULL AS had_list,
    restatement.new_list IS NOT NULL AS has_list,
    restatement.cause,
    restatement.changed_at,
    count(*) OVER () AS restatement_count
FROM weixin.dim_article AS article
CROSS JOIN
    LATERAL (
        SELECT *
        FROM weixin.restatement
        WHERE
            restatement.dataset = :dataset
            AND restatement.appid = article.appid
            AND restatement.msgid = article.msgid
        OFFSET 0 -- noqa: AM09
    ) AS restatement
WHERE article.appid = :appid AND article.publication_date = cast(:publication_date AS date)
ORDER BY
    restatement.changed_at DESC,
    restatement.msgid ASC,
    restatement.stat_date ASC,
    restatement.metric ASC
LIMIT :most
