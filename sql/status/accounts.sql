-- Return the accounts that daily runs collect, all or some: one row per dataset and account. The
-- row has the time of the newest ready answer, whether the endpoint is retired, the days with
-- rejected parts, the days without their newest figures (`rules.behind_days`), the totals that fell
-- on the newest morning, and the account's last plan. The first columns are the fields of
-- `AccountDays` in the same order. An unreadable day is not among those with rejected parts,
-- because its own alert names the first part.
{% from "weixin/macros.jinja" import beijing, is_behind, is_retired, newest_date, planned_at %}
{% from "weixin/rejected.jinja" import rejected_cause with context %}
{% set is_of_account -%}
part.dataset = collected.dataset
            AND part.appid = collected.appid
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
    collected.dataset,
    collected.appid,
    account.name,
    account.conn_id,
    greatest(
        newest_ready.ready_at,
        (
            SELECT max(open_day.ready_at)
            FROM weixin.coverage AS open_day
            WHERE
                open_day.appid = collected.appid
                AND open_day.dataset = collected.dataset
                AND open_day.settled IS NULL
        )
    ) AS answered_at,
    {{ is_retired("collected.dataset", "collected.appid") }} AS is_retired,
    collected.since_date,
    rejected.days AS rejected_days,
    {{ rejected_cause(is_of_account) }} AS rejected_reason,
    behind.days AS behind_days,
    fallen.fell_at,
    fallen.days AS fallen_days,
    fallen.fall,
    {{ planned_at("collected.dataset", "collected.appid") }} AS planned_at
FROM weixin.collected_since AS collected
INNER JOIN weixin.dim_account AS account
    ON
        collected.appid = account.appid
        AND account.is_active
        AND (cast(:appids AS text[]) IS NULL OR collected.appid = any(:appids))
LEFT JOIN (
    VALUES
    {% for dataset in datasets %}
    ('{{ dataset.name }}', {{ dataset.window }}){{ "," if not loop.last }}
    {% endfor %}
) AS article_dataset (name, publication_window)
    ON collected.dataset = article_dataset.name
LEFT JOIN LATERAL (
    SELECT coverage.ready_at
    FROM weixin.coverage
    WHERE
        coverage.appid = collected.appid
        AND coverage.dataset = collected.dataset
        AND coverage.ready_at IS NOT NULL
    ORDER BY coverage.day DESC
    LIMIT 1
) AS newest_ready ON TRUE
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT part.day ORDER BY part.day) AS days
    FROM weixin.rejected_row AS part
    WHERE
        part.resolved_at IS NULL
        AND {{ is_of_account }}
) AS rejected ON TRUE
LEFT JOIN LATERAL (
    SELECT array_agg(coverage.day ORDER BY coverage.day) AS days
    FROM weixin.coverage
    CROSS JOIN
        LATERAL (
            SELECT {{ newest_date("collected.dataset", "collected.appid") }} AS newest_date
        ) AS account_coverage
    WHERE
        coverage.appid = collected.appid
        AND coverage.dataset = collected.dataset
        AND coverage.day
        >= {{ beijing("newest_ready.ready_at") }} - article_dataset.publication_window
        AND {{ beijing("coverage.ready_at") }} = {{ beijing("newest_ready.ready_at") }}
        AND {{ is_behind(
            "coverage", "coverage.day", "article_dataset.publication_window",
            "account_coverage.newest_date", "TRUE"
        ) }}
) AS behind ON TRUE
LEFT JOIN LATERAL (
    SELECT
        max(coverage.fell_at) AS fell_at,
        array_agg(coverage.day ORDER BY coverage.day) AS days,
        (array_agg(coverage.fall ORDER BY coverage.day DESC))[1] AS fall
    FROM weixin.coverage
    WHERE
        coverage.appid = collected.appid
        AND coverage.dataset = collected.dataset
        AND coverage.fell_at >= newest_ready.ready_at - interval '1 day'
        AND {{ beijing("coverage.fell_at") }} >= {{ beijing("newest_ready.ready_at") }}
) AS fallen ON TRUE
ORDER BY account.name, collected.appid, collected.dataset
