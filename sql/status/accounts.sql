-- The accounts that daily runs collect, or some of them: one row per dataset and account in the
-- list, with what their days' states are judged by, the newest day that is in, the calls of today,
-- and the days with parts of answers that do not fit.
{% from "status/macros.jinja" import heard_at %}
WITH dataset (name, endpoint) AS (
    VALUES
    {% for dataset in every_dataset %}
    ('{{ dataset.name }}', '{{ dataset.path }}'){{ "," if not loop.last }}
    {% endfor %}
)

SELECT
    since.dataset,
    since.appid,
    account.name,
    account.conn_id,
    since.since_date,
    since.catch_up_days,
    {{ heard_at("since.dataset", "since.appid") }} AS heard_at,
    newest.day AS last_day_in,
    newest.ready_at,
    coalesce(today.calls, 0) AS calls_today,
    rejected.days AS rejected_days,
    rejected.reason AS rejected_reason
FROM dataset
INNER JOIN weixin.collected_since AS since
    ON dataset.name = since.dataset
INNER JOIN weixin.dim_account AS account
    ON
        since.appid = account.appid
        AND account.is_active
        AND (cast(:appids AS text[]) IS NULL OR since.appid = any(:appids))
LEFT JOIN weixin.api_call AS today
    ON
        since.appid = today.appid
        AND dataset.endpoint = today.endpoint
        AND today.beijing_date = cast(:today AS date)
LEFT JOIN LATERAL (
    SELECT
        coverage.day,
        coverage.ready_at
    FROM weixin.coverage
    WHERE
        coverage.appid = since.appid
        AND coverage.dataset = since.dataset
        AND coverage.ready_at IS NOT NULL
    ORDER BY coverage.day DESC
    LIMIT 1
) AS newest ON TRUE
LEFT JOIN LATERAL (
    SELECT
        array_agg(DISTINCT part.day ORDER BY part.day) AS days,
        min(part.reason) AS reason
    FROM weixin.rejected_row AS part
    WHERE
        part.dataset = since.dataset
        AND part.appid = since.appid
        AND part.resolved_at IS NULL
) AS rejected ON TRUE
ORDER BY account.name, since.appid, since.dataset
