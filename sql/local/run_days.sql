-- What a run did, for people: one row per day of its window, or that it planned; beside the counts
-- what people call the day of each account, and how the last attempt ended.
{% from "weixin/macros.jinja" import heard_at, state %}
WITH report AS (
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
    FROM report
),

articles AS (
    SELECT
        publication_date,
        count(*) AS articles
    FROM weixin.dim_article
    GROUP BY publication_date
),

account AS (
    SELECT
        account.appid,
        daily.since_date,
        daily.catch_up_days,
        {{ heard_at(":dataset", "account.appid") }} AS heard_at
    FROM weixin.dim_account AS account
    LEFT JOIN weixin.collected_since AS daily
        ON account.appid = daily.appid AND daily.dataset = :dataset
    WHERE account.is_active
),

pair AS (
    SELECT
        days.day,
        {{
            state(
                "pair", "days.day", dataset.window, "date '" ~ dataset.first_day ~ "'",
                "account", "account.heard_at", "cast(:now AS timestamptz)"
            )
        }} AS state,
        coalesce(pair.error_kind, CASE WHEN pair.appid IS NOT NULL THEN 'ok' END) AS attempt
    FROM days
    CROSS JOIN account
    LEFT JOIN weixin.coverage AS pair
        ON
            account.appid = pair.appid
            AND days.day = pair.day
            AND pair.dataset = :dataset
),

known AS (
    SELECT
        day,
        string_agg(DISTINCT state, ', ') AS state,
        string_agg(DISTINCT attempt, ', ') AS attempt
    FROM pair
    GROUP BY day
)

SELECT
    days.day,
    coalesce(articles.articles, 0) AS articles,
    coalesce(report.inserted, 0) AS inserted,
    coalesce(report.updated, 0) AS updated,
    coalesce(report.unchanged, 0) AS unchanged,
    coalesce(report.rejected, 0) AS rejected,
    known.state,
    known.attempt
FROM days
LEFT JOIN known ON days.day = known.day
LEFT JOIN articles ON days.day = articles.publication_date
LEFT JOIN report ON days.day = report.day
ORDER BY days.day
