-- What a run did, for people: one row per day of its window, or that it planned.
WITH days AS (
    SELECT day
    FROM unnest(cast(:days AS date[])) AS days (day)
    UNION
    SELECT day
    FROM weixin.run_report
    WHERE run_id = :run_id AND dataset = :dataset
),

articles AS (
    SELECT
        publication_date,
        count(*) AS articles
    FROM weixin.dim_article
    GROUP BY publication_date
),

report AS (
    SELECT
        day,
        sum(inserted) AS inserted,
        sum(updated) AS updated,
        sum(unchanged) AS unchanged,
        sum(rejected) AS rejected
    FROM weixin.run_report
    WHERE run_id = :run_id AND dataset = :dataset
    GROUP BY day
)

SELECT
    days.day,
    coalesce(articles.articles, 0) AS articles,
    coalesce(report.inserted, 0) AS inserted,
    coalesce(report.updated, 0) AS updated,
    coalesce(report.unchanged, 0) AS unchanged,
    coalesce(report.rejected, 0) AS rejected
FROM days
LEFT JOIN articles ON days.day = articles.publication_date
LEFT JOIN report ON days.day = report.day
ORDER BY days.day
