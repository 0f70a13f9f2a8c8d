-- What is usual for an account: one row per position in the message and day number, as in
-- analytics.benchmark, but over the same articles on each day, those that have the most of them. So
-- the line does not fall where one article fewer has the next day.
WITH figure AS (
    SELECT
        article.position,
        fact.stat_date - fact.publication_date + 1 AS day_number,
        fact.{{ dataset.readers }} AS readers,
        count(*) OVER (PARTITION BY fact.msgid) AS day_count
    FROM weixin.{{ fact }} AS fact
    INNER JOIN weixin.dim_article AS article
        ON fact.appid = article.appid AND fact.msgid = article.msgid
    WHERE
        fact.appid = :appid
        AND fact.publication_date > (
            SELECT max(newest.publication_date) - 90
            FROM weixin.{{ fact }} AS newest
            WHERE newest.appid = :appid
        )
        AND fact.stat_date
        BETWEEN fact.publication_date AND fact.publication_date + {{ dataset.window - 1 }}
        AND fact.{{ dataset.readers }} IS NOT NULL
),

longest AS (
    SELECT
        *,
        max(day_count) OVER (PARTITION BY position) AS most_days
    FROM figure
)

SELECT
    position,
    day_number,
    count(*) AS article_count,
    percentile_cont(0.25) WITHIN GROUP (ORDER BY readers) AS lower_quartile,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY readers) AS median,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY readers) AS upper_quartile
FROM longest
WHERE day_count = most_days
GROUP BY position, day_number
ORDER BY position, day_number
