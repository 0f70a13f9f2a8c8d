-- Since when daily runs of a dataset collect some accounts, and how their last attempts ended: one
-- row per account.
{% from "weixin/macros.jinja" import last_errcodes %}
SELECT
    account.appid,
    daily.first_daily_date,
    {{ last_errcodes(":dataset", "account.appid", window) }} AS last_errcodes
FROM unnest(cast(:appids AS text[])) AS account (appid)
LEFT JOIN weixin.first_daily_run AS daily
    ON account.appid = daily.appid AND daily.dataset = :dataset
