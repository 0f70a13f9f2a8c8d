-- What a run did, for people: one row per publication day of its window, or that it caught up.
-- The states are those of all accounts, as analytics.coverage has them.
WITH days AS (
    SELECT publication_date
    FROM unnest(cast(:publication_dates AS date[])) AS days (publication_date)
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

state AS (
    SELECT
        day AS publication_date,
        string_agg(DISTINCT state, ', ' ORDER BY state) AS states
    FROM analytics.coverage
    WHERE dataset = :dataset AND day = any(cast(:publication_dates AS date[]))
    GROUP BY day
),

report AS (
    SELECT
        day AS publication_date,
        sum(inserted) AS inserted,
        sum(updated) AS updated,
        sum(unchanged) AS unchanged,
        sum(rejected) AS rejected
    FROM weixin.run_report
    WHERE run_id = :run_id AND dataset = :dataset
    GROUP BY day
)

SELECT
    days.publication_date,
    coalesce(articles.articles, 0) AS articles,
    coalesce(report.inserted, 0) AS inserted,
    coalesce(report.updated, 0) AS updated,
    coalesce(report.unchanged, 0) AS unchanged,
    coalesce(report.rejected, 0) AS rejected,
    coalesce(state.states, 'not asked') AS states
FROM days
LEFT JOIN state ON days.publication_date = state.publication_date
LEFT JOIN articles ON days.publication_date = articles.publication_date
LEFT JOIN report ON days.publication_date = report.publication_date
ORDER BY days.publication_date
