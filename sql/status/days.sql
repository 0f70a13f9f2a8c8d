-- The days that are not as they should be, of accounts that daily runs collect: those whose state
-- is one of `lacking`, or that are open and were refused last. Days of an account are one row if
-- they are called alike, and their last attempts, in one minute, ended alike or never were. So are
-- accounts with the same such days; those that were refused only if they were in one instant.
{% from "weixin/macros.jinja" import beijing, heard_at, state %}
WITH account AS (
    SELECT
        since.appid,
        since.catch_up_days,
        greatest(since.since_date, date '{{ dataset.first_day }}') AS since_date
    FROM weixin.collected_since AS since
    INNER JOIN weixin.dim_account AS account ON since.appid = account.appid AND account.is_active
    WHERE
        since.dataset = '{{ dataset.name }}'
        AND (cast(:appids AS text[]) IS NULL OR since.appid = any(:appids))
),

listed AS (
    SELECT
        account.*,
        open.day,
        open AS pair
    FROM account
    INNER JOIN weixin.coverage AS open
        ON
            account.appid = open.appid
            AND open.dataset = '{{ dataset.name }}'
            AND (open.settled IS NULL OR open.settled = 'given_up')
    UNION ALL
    SELECT
        account.*,
        never.day,
        NULL AS pair
    FROM account
    -- it is looked at day by day only where some were never asked for
    CROSS JOIN
        LATERAL (
            SELECT
                CASE
                    WHEN count(*) <= max(asked.day) - account.since_date THEN account.since_date
                    ELSE coalesce(max(asked.day) + 1, account.since_date)
                END AS begin_date
            FROM weixin.coverage AS asked
            WHERE
                asked.appid = account.appid
                AND asked.dataset = '{{ dataset.name }}'
                AND asked.day >= account.since_date
        ) AS reach
    CROSS JOIN
        LATERAL (
            SELECT reach.begin_date + step AS day
            FROM generate_series(0, {{ beijing(":now") }} - 1 - reach.begin_date) AS step
            EXCEPT
            SELECT asked.day
            FROM weixin.coverage AS asked
            WHERE
                asked.appid = account.appid
                AND asked.dataset = '{{ dataset.name }}'
                AND asked.day >= reach.begin_date
        ) AS never
),

told AS (
    SELECT
        listed.appid,
        listed.day,
        {{ state(
            "(listed.pair)", "listed.day", dataset.window, "date '" ~ dataset.first_day ~ "'",
            "listed", heard_at("'" ~ dataset.name ~ "'", "listed.appid"), ":now"
        ) }} AS state,
        (listed.pair).ready_at IS NOT NULL AS has_figures,
        (listed.pair).attempted_at,
        (listed.pair).error_kind,
        (listed.pair).error_code,
        (listed.pair).error,
        (listed.pair).cure
    FROM listed
),

of_account AS (
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
    FROM told
    WHERE state = any(:lacking) OR error_kind IS NOT NULL
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
FROM of_account
GROUP BY
    days,
    state,
    has_figures,
    -- whether an account was answered since it was refused is a matter of seconds
    CASE
        WHEN error_kind IS NULL OR error_kind = 'not_ready' THEN date_trunc('minute', attempted_at)
        ELSE attempted_at
    END,
    error_kind,
    error_code,
    error,
    cure
ORDER BY days[cardinality(days)]
