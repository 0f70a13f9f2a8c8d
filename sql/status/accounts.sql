-- The accounts that daily runs collect, or some of them: one row per dataset and account, with when
-- it was answered last, whether the endpoint is retired, the days with rejected parts, those whose
-- newest figures are missing (`rules.behind_days`), and which running total fell on the newest
-- morning. Its columns are the first fields of `AccountDays`, in their order; then when a run
-- planned it last. A day that can't be read is not among those with rejected parts: its own trouble
-- names the first of them.
{% from "weixin/macros.jinja" import beijing, is_retired, planned_at %}
{% from "weixin/rejected.jinja" import rejected_cause with context %}
{% set is_of_account -%}
part.dataset = since.dataset
            AND part.appid = since.appid
            AND NOT EXISTS (
                SELECT FROM weixin.coverage AS unreadable
                WHERE
                    unreadable.appid = part.appid
                    AND unreadable.dataset = part.dataset
                    AND unreadable.day = part.day
                    AND (unreadable.error_kind = 'unreadable' OR unreadable.settled = 'given_up')
            )
{%- endset %}
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
    {{ rejected_cause(is_of_account) }} AS rejected_reason,
    behind.days AS behind_days,
    fallen.fell_at,
    fallen.days AS fallen_days,
    fallen.fall,
    {{ planned_at("since.dataset", "since.appid") }} AS planned_at
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
    SELECT array_agg(DISTINCT part.day ORDER BY part.day) AS days
    FROM weixin.rejected_row AS part
    WHERE
        part.resolved_at IS NULL
        AND {{ is_of_account }}
) AS rejected ON TRUE
LEFT JOIN LATERAL (
    SELECT
        array_agg(pair.day ORDER BY pair.day) FILTER (WHERE pair.list_sha256 != sha256(''))
            AS days
    FROM weixin.coverage AS pair
    WHERE
        pair.appid = since.appid
        AND pair.dataset = since.dataset
        AND pair.day
        BETWEEN {{ beijing("ready.ready_at") }} - CASE since.dataset
            {% for dataset in datasets %}
            WHEN '{{ dataset.name }}' THEN {{ dataset.window }}
            {% endfor %}
        END AND {{ beijing("ready.ready_at") }} - 1
        AND {{ beijing("pair.ready_at") }} = {{ beijing("ready.ready_at") }}
    HAVING
        count(*) FILTER (WHERE pair.newest_date = {{ beijing("ready.ready_at") }} - 1) = 0
) AS behind ON TRUE
LEFT JOIN LATERAL (
    SELECT
        max(pair.fell_at) AS fell_at,
        array_agg(pair.day ORDER BY pair.day) AS days,
        (array_agg(pair.fall ORDER BY pair.day DESC))[1] AS fall
    FROM weixin.coverage AS pair
    WHERE
        pair.appid = since.appid
        AND pair.dataset = since.dataset
        AND pair.fell_at >= ready.ready_at - interval '1 day'
        AND {{ beijing("pair.fell_at") }} >= {{ beijing("ready.ready_at") }}
) AS fallen ON TRUE
ORDER BY account.name, since.appid, since.dataset
