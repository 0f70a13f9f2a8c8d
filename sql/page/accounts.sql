-- The accounts of the calendar: one row per account that the dataset collects or once asked for.
-- Those still collected come first, then by name; with how many there are on all pages.
{% from "weixin/macros.jinja" import last_errcodes %}
WITH known AS (
    SELECT
        account.appid,
        account.name,
        account.conn_id,
        account.is_active,
        daily.first_daily_date,
        oldest.publication_date AS first_date,
        newest.publication_date AS last_date
    FROM weixin.dim_account AS account
    LEFT JOIN weixin.first_daily_run AS daily
        ON account.appid = daily.appid AND daily.dataset = :dataset
    LEFT JOIN LATERAL (
        SELECT coverage.publication_date
        FROM weixin.coverage
        WHERE coverage.appid = account.appid AND coverage.dataset = :dataset
        ORDER BY coverage.publication_date
        LIMIT 1
    ) AS oldest ON TRUE
    LEFT JOIN LATERAL (
        SELECT coverage.publication_date
        FROM weixin.coverage
        WHERE coverage.appid = account.appid AND coverage.dataset = :dataset
        ORDER BY coverage.publication_date DESC
        LIMIT 1
    ) AS newest ON TRUE
    WHERE daily.appid IS NOT NULL OR oldest.publication_date IS NOT NULL
)

SELECT
    appid,
    name,
    is_active,
    first_daily_date,
    first_date,
    last_date,
    {{ last_errcodes(":dataset", "known.appid", window) }} AS last_errcodes,
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
