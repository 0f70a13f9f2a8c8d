-- Return the days that need attention, of accounts that daily runs collect: days in one of the
-- states `:lacking`, days without figures that ended, and open days whose last attempt failed. One
-- row has the days of several accounts that share their days, state, figures and result. Last
-- attempts of an account are grouped by the minute; failed attempts of several accounts must be of
-- the same instant.
{% from "weixin/macros.jinja" import beijing, is_retired, last_article_at, newest_date, state %}
WITH account AS (
    SELECT
        collected.appid,
        collected.catch_up_days,
        {{ is_retired("'" ~ dataset.name ~ "'", "collected.appid") }} AS is_ended,
        {{ last_article_at("'" ~ dataset.name ~ "'", "collected.appid") }} AS last_article_at,
        {{ newest_date("'" ~ dataset.name ~ "'", "collected.appid") }} AS newest_date,
        greatest(collected.since_date, date '{{ dataset.first_day }}') AS since_date
    FROM weixin.collected_since AS collected
    INNER JOIN weixin.dim_account AS account
        ON collected.appid = account.appid AND account.is_active
    WHERE
        collected.dataset = '{{ dataset.name }}'
        AND (cast(:appids AS text[]) IS NULL OR collected.appid = any(:appids))
),

expected_day AS (
    SELECT
        account.*,
        open_day.day,
        open_day AS coverage
    FROM account
    INNER JOIN weixin.coverage AS open_day
        ON
            account.appid = open_day.appid
            AND open_day.dataset = '{{ dataset.name }}'
            AND (open_day.settled IS NULL OR open_day.settled = 'given_up')
    UNION ALL
    SELECT
        account.*,
        unrequested.day,
        NULL AS coverage
    FROM account
    -- The days are compared one by one only if one of them was never requested.
    CROSS JOIN
        LATERAL (
            SELECT
                CASE
                    WHEN count(*) <= max(coverage.day) - account.since_date THEN account.since_date
                    ELSE coalesce(max(coverage.day) + 1, account.since_date)
                END AS begin_date
            FROM weixin.coverage
            WHERE
                coverage.appid = account.appid
                AND coverage.dataset = '{{ dataset.name }}'
                AND coverage.day >= account.since_date
        ) AS search
    CROSS JOIN
        LATERAL (
            SELECT search.begin_date + step AS day
            FROM generate_series(0, {{ beijing(":now") }} - 1 - search.begin_date) AS step
            EXCEPT
            SELECT coverage.day
            FROM weixin.coverage
            WHERE
                coverage.appid = account.appid
                AND coverage.dataset = '{{ dataset.name }}'
                AND coverage.day >= search.begin_date
        ) AS unrequested
),

day_state AS (
    SELECT
        expected_day.appid,
        expected_day.day,
        {{ state(
            "(expected_day.coverage)", "expected_day.day", dataset.window,
            "date '" ~ dataset.first_day ~ "'",
            "TRUE" if dataset.describes_articles else "FALSE", "expected_day", ":now"
        ) }} AS state,
        (expected_day.coverage).ready_at IS NOT NULL AS has_figures,
        (expected_day.coverage).attempted_at,
        (expected_day.coverage).error_kind,
        (expected_day.coverage).error_code,
        (expected_day.coverage).error,
        (expected_day.coverage).cure
    FROM expected_day
),

account_days AS (
    SELECT
        appid,
        array_agg(day ORDER BY day) AS days,
        state,
        has_figures,
        max(attempted_at) AS attempted_at,
        error_kind,
        error_code,
        error,
        cure
    FROM day_state
    WHERE state = any(:lacking) OR error_kind IS NOT NULL OR (state = 'ended' AND NOT has_figures)
    GROUP BY
        appid,
        state,
        has_figures,
        date_trunc('minute', attempted_at),
        error_kind,
        error_code,
        error,
        cure
)

SELECT
    array_agg(appid) AS appids,
    days,
    state,
    has_figures,
    max(attempted_at) AS attempted_at,
    error_kind,
    error_code,
    error,
    cure
FROM account_days
GROUP BY
    days,
    state,
    has_figures,
    -- A failed attempt keeps its exact time, to tell whether an answer came after it.
    CASE
        WHEN error_kind IS NULL OR error_kind = 'not_ready' THEN date_trunc('minute', attempted_at)
        ELSE attempted_at
    END,
    error_kind,
    error_code,
    error,
    cure
ORDER BY days[cardinality(days)]
