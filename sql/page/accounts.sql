-- The accounts of the calendar: one row per account that the dataset collects or once asked for.
-- Those still collected come first, then by name; with what their days' states are judged by, and
-- how many there are on all pages.
{% from "status/macros.jinja" import heard_at %}
SELECT
    account.appid,
    account.name,
    account.is_active,
    since.since_date,
    since.catch_up_days,
    asked.first_date,
    asked.last_date,
    {{ heard_at(":dataset", "account.appid") }} AS heard_at,
    count(*) OVER () AS account_count
FROM weixin.dim_account AS account
LEFT JOIN weixin.collected_since AS since
    ON account.appid = since.appid AND since.dataset = :dataset
CROSS JOIN
    LATERAL (
        SELECT
            min(coverage.day) AS first_date,
            max(coverage.day) AS last_date
        FROM weixin.coverage
        WHERE coverage.appid = account.appid AND coverage.dataset = :dataset
    ) AS asked
WHERE
    (since.appid IS NOT NULL OR asked.first_date IS NOT NULL)
    AND (cast(:appid AS text) IS NULL OR account.appid = :appid)
    AND strpos(
        lower(concat_ws(' ', account.name, account.appid, account.conn_id)), lower(:search)
    ) > 0
ORDER BY account.is_active DESC, account.name ASC, account.appid ASC
LIMIT
    :most
    OFFSET :offset
