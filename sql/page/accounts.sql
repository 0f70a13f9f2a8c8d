-- The accounts of the calendar: one row per account that the dataset collects or once asked for.
-- Those still collected come first, then by name; with how many there are on all pages.
{% from "weixin/macros.jinja" import is_retired, planned_at %}
SELECT
    account.appid,
    account.name,
    account.conn_id,
    account.is_active,
    {{ is_retired(":dataset", "account.appid") }} AS is_retired,
    {{ planned_at(":dataset", "account.appid") }} AS planned_at,
    count(*) OVER () AS account_count
FROM weixin.dim_account AS account
WHERE
    (cast(:appid AS text) IS NULL OR account.appid = :appid)
    AND strpos(
        lower(concat_ws(' ', account.name, account.appid, account.conn_id)), lower(:search)
    ) > 0
    AND (
        EXISTS (
            SELECT FROM weixin.collected_since AS since
            WHERE since.appid = account.appid AND since.dataset = :dataset
        )
        OR EXISTS (
            SELECT FROM weixin.coverage AS slice
            WHERE slice.appid = account.appid AND slice.dataset = :dataset
        )
    )
ORDER BY account.is_active DESC, account.name ASC, account.appid ASC
LIMIT
    :most
    OFFSET :offset
