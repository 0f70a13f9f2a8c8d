-- Return the days of a period whose figures are not complete or have no row: of articles, as
-- analytics.account_day has them, and of followers, as analytics.follower_total has them. One row
-- per account and kind of figures, with the days and when WeChat was asked last for such figures.
-- A kind without datasets has no row.
{% for kind, view, day in [
    ("articles", "account_day", "calendar_date"), ("followers", "follower_total", "stat_date")
] %}
SELECT
    account.appid,
    account.unique_name AS account_name,
    '{{ kind }}' AS kind,
    (
        SELECT max(coverage.attempted_at)
        FROM weixin.coverage
        WHERE coverage.appid = account.appid AND coverage.dataset = any(:{{ kind }})
    ) AS asked_at,
    array_agg(wanted.day ORDER BY wanted.day) AS days
FROM weixin.dim_account AS account
CROSS JOIN
    LATERAL (
        SELECT cast(:begin AS date) + generate_series(0, cast(:end AS date) - :begin) AS day
    ) AS wanted
LEFT JOIN analytics.{{ view }} AS figures
    ON account.appid = figures.appid AND wanted.day = figures.{{ day }}
WHERE
    account.appid = any(:appids)
    AND cardinality(cast(:{{ kind }} AS text[])) > 0
    AND figures.is_complete IS NOT TRUE
GROUP BY account.appid
{{ "UNION ALL" if not loop.last }}
{% endfor %}
ORDER BY kind, appid
