-- The accounts that daily runs collect: one row per dataset and account in the list of accounts,
-- with the newest publication day that is in and how the last attempts ended.
{% from "weixin/macros.jinja" import last_errcodes %}
WITH dataset (name, days) AS (
    VALUES
    {% for dataset in every_dataset %}
    ('{{ dataset.name }}', {{ dataset.window }}){{ "," if not loop.last }}
    {% endfor %}
)

SELECT
    daily.dataset,
    daily.appid,
    account.name,
    account.conn_id,
    daily.first_daily_date,
    {{ last_errcodes("daily.dataset", "daily.appid", "dataset.days") }} AS last_errcodes,
    newest.publication_date AS last_day_in,
    newest.ready_at
FROM dataset
INNER JOIN weixin.first_daily_run AS daily
    ON dataset.name = daily.dataset
INNER JOIN weixin.dim_account AS account
    ON daily.appid = account.appid AND account.is_active
LEFT JOIN LATERAL (
    SELECT
        coverage.publication_date,
        coverage.ready_at
    FROM weixin.coverage
    WHERE
        coverage.appid = daily.appid
        AND coverage.dataset = daily.dataset
        AND coverage.ready_at IS NOT NULL
    ORDER BY coverage.publication_date DESC
    LIMIT 1
) AS newest ON TRUE
ORDER BY account.name, daily.appid, daily.dataset
