-- The accounts of the calendar: one row per account that the dataset collects or once asked for.
-- Those still collected come first, then by name; with what their days' states are judged by, and
-- how many there are on all pages.
{% from "status/macros.jinja" import heard_at %}
WITH known AS (
    SELECT
        account.appid,
        account.name,
        account.conn_id,
        account.is_active,
        since.since_date,
        since.catch_up_days,
        oldest.day AS first_date,
        newest.day AS last_date
    FROM weixin.dim_account AS account
    LEFT JOIN weixin.collected_since AS since
        ON account.appid = since.appid AND since.dataset = :dataset
    LEFT JOIN LATERAL (
        SELECT coverage.day
        FROM weixin.coverage
        WHERE coverage.appid = account.appid AND coverage.dataset = :dataset
        ORDER BY coverage.day
        LIMIT 1
    ) AS oldest ON TRUE
    LEFT JOIN LATERAL (
        SELECT coverage.day
        FROM weixin.coverage
        WHERE coverage.appid = account.appid AND coverage.dataset = :dataset
        ORDER BY coverage.day DESC
        LIMIT 1
    ) AS newest ON TRUE
    WHERE since.appid IS NOT NULL OR oldest.day IS NOT NULL
)

SELECT
    appid,
    name,
    is_active,
    since_date,
    catch_up_days,
    first_date,
    last_date,
    {{ heard_at(":dataset", "known.appid") }} AS heard_at,
    count(*) OVER () AS account_count
FROM known
WHERE
    (cast(:appids AS text[]) IS NULL OR appid = any(:appids))
    AND (
        :search = ''
        OR strpos(lower(name), lower(:search)) > 0
        OR strpos(lower(appid), lower(:search)) > 0
        OR strpos(lower(conn_id), lower(:search)) > 0
    )
ORDER BY is_active DESC, name ASC, appid ASC
LIMIT
    :most
    OFFSET :offset
