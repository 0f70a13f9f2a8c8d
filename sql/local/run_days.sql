-- Return what a run did, for people: one row per day of its window or plan. Beside the counts, the
-- row has the states of the accounts' days and the results of their last attempts.
{% from "weixin/macros.jinja" import is_retired, last_article_at, newest_date, state %}
WITH counts AS (
    SELECT
        day,
        sum(inserted) AS inserted,
        sum(updated) AS updated,
        sum(unchanged) AS unchanged,
        sum(rejected) AS rejected
    FROM weixin.run_report
    WHERE run_id = :run_id AND dataset = :dataset
    GROUP BY day
),

days AS (
    SELECT day
    FROM unnest(cast(:days AS date[])) AS days (day)
    UNION
    SELECT day
    FROM counts
),

articles AS (
    SELECT
        publication_date,
        count(*) AS articles
    FROM weixin.dim_article
    GROUP BY publication_date
),

active_account AS (
    SELECT
        account.appid,
        daily.since_date,
        daily.catch_up_days,
        {{ last_article_at(":dataset", "account.appid") }} AS last_article_at,
        {{ newest_date(":dataset", "account.appid") }} AS newest_date,
        {{ is_retired(":dataset", "account.appid") }} AS is_ended
    FROM weixin.dim_account AS account
    LEFT JOIN weixin.collected_since AS daily
        ON account.appid = daily.appid AND daily.dataset = :dataset
    WHERE account.is_active
),

slice AS (
    SELECT
        days.day,
        {{
            state(
                "coverage", "days.day", dataset.window, "date '" ~ dataset.first_day ~ "'",
                "TRUE" if dataset.describes_articles else "FALSE", "active_account",
                "cast(:now AS timestamptz)"
            )
        }} AS state,
        coalesce(coverage.error_kind, CASE WHEN coverage.appid IS NOT NULL THEN 'ok' END) AS attempt
    FROM days
    CROSS JOIN active_account
    LEFT JOIN weixin.coverage
        ON
            active_account.appid = coverage.appid
            AND days.day = coverage.day
            AND coverage.dataset = :dataset
),

day_state AS (
    SELECT
        day,
        string_agg(DISTINCT state, ', ') AS state,
        string_agg(DISTINCT attempt, ', ') AS attempt
    FROM slice
    GROUP BY day
)

SELECT
    days.day,
    coalesce(articles.articles, 0) AS articles,
    coalesce(counts.inserted, 0) AS inserted,
    coalesce(counts.updated, 0) AS updated,
    coalesce(counts.unchanged, 0) AS unchanged,
    coalesce(counts.rejected, 0) AS rejected,
    day_state.state,
    day_state.attempt
FROM days
LEFT JOIN day_state ON days.day = day_state.day
LEFT JOIN articles ON days.day = articles.publication_date
LEFT JOIN counts ON days.day = counts.day
ORDER BY days.day
