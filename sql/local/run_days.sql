-- What a run did, for people: one row per publication day of its window, or that it caught up.
-- A day of the window that the run did not plan was final before, or the run did not come so far.
WITH days AS (
    SELECT publication_date
    FROM unnest(cast(:publication_dates AS date[])) AS days (publication_date)
    UNION
    SELECT publication_date
    FROM weixin.run_report
    WHERE run_id = :run_id AND dataset = :dataset AND is_planned
),

articles AS (
    SELECT
        publication_date,
        count(*) AS articles
    FROM weixin.dim_article
    GROUP BY publication_date
),

final AS (
    SELECT
        publication_date,
        'final' AS state
    FROM weixin.coverage
    WHERE dataset = :dataset
    GROUP BY publication_date
    HAVING bool_and(is_final)
),

report AS (
    SELECT
        publication_date,
        sum(inserted) AS inserted,
        sum(updated) AS updated,
        sum(unchanged) AS unchanged,
        sum(rejected) AS rejected,
        string_agg(DISTINCT state, ', ' ORDER BY state) AS states
    FROM weixin.run_report
    WHERE run_id = :run_id AND dataset = :dataset
    GROUP BY publication_date
)

SELECT
    days.publication_date,
    coalesce(articles.articles, 0) AS articles,
    coalesce(report.inserted, 0) AS inserted,
    coalesce(report.updated, 0) AS updated,
    coalesce(report.unchanged, 0) AS unchanged,
    coalesce(report.rejected, 0) AS rejected,
    coalesce(report.states, final.state, 'not asked') AS states
FROM days
LEFT JOIN final ON days.publication_date = final.publication_date
LEFT JOIN articles ON days.publication_date = articles.publication_date
LEFT JOIN report ON days.publication_date = report.publication_date
ORDER BY days.publication_date
