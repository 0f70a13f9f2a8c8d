-- The accounts that daily runs collect, or some of them: one row per dataset and account, with when
-- it was answered last, whether the endpoint is retired, and the days with rejected parts. Its
-- columns are the first fields of `AccountDays`, in their order.
{% from "weixin/macros.jinja" import is_retired %}
SELECT
    since.dataset,
    since.appid,
    account.name,
    account.conn_id,
    greatest(
        ready.ready_at,
        (
            SELECT max(open.ready_at)
            FROM weixin.coverage AS open
            WHERE
                open.appid = since.appid
                AND open.dataset = since.dataset
                AND open.settled IS NULL
        )
    ) AS answered_at,
    {{ is_retired("since.dataset", "since.appid") }} AS is_retired,
    since.since_date,
    rejected.days AS rejected_days,
    rejected.reason || coalesce(', and ' || nullif(rejected.further, 0) || ' more', '')
        AS rejected_reason
FROM weixin.collected_since AS since
INNER JOIN weixin.dim_account AS account
    ON
        since.appid = account.appid
        AND account.is_active
        AND (cast(:appids AS text[]) IS NULL OR since.appid = any(:appids))
LEFT JOIN LATERAL (
    SELECT coverage.ready_at
    FROM weixin.coverage
    WHERE
        coverage.appid = since.appid
        AND coverage.dataset = since.dataset
        AND coverage.ready_at IS NOT NULL
    ORDER BY coverage.day DESC
    LIMIT 1
) AS ready ON TRUE
LEFT JOIN LATERAL (
    SELECT
        array_agg(DISTINCT part.day ORDER BY part.day) AS days,
        min(part.reason) AS reason,
        count(DISTINCT part.reason) - 1 AS further
    FROM weixin.rejected_row AS part
    WHERE
        part.dataset = since.dataset
        AND part.appid = since.appid
        AND part.resolved_at IS NULL
) AS rejected ON TRUE
ORDER BY account.name, since.appid, since.dataset
