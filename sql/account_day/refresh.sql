-- Compute the account days of locked stale accounts from the facts: one row per account and day of
-- which something is known, from the first stale day on. This is the only definition of what an
-- account gained on a day and of whether the day is complete.
{% from "analytics/both.jinja" import new, old with context %}
{% from "analytics/macros.jinja" import is_listed, is_unseen, known_before %}
{% from "weixin/macros.jinja" import beijing %}
{#- Return the sum of the last known figures for rows that lack the metric, signed as below. -#}
{% macro sum_of_earlier_figures(metric) -%}
(
            SELECT sum(
                effect.sign * {{ known_before(metric.name, dataset.fact, "lacking") | indent(16) }}
            )
            FROM weixin.{{ dataset.fact }} AS lacking
            INNER JOIN (VALUES (0, 1), (1, -1)) AS effect (days, sign)
                ON day.calendar_date - effect.days = lacking.stat_date
            WHERE
                lacking.appid = day.appid
                AND lacking.{{ metric.name }} IS NULL
                AND day.calendar_date < lacking.publication_date + {{ dataset.window }}
        )
{%- endmacro %}
{#- Return the increment of a day: 0 on a complete day without rows. -#}
{% macro day_increment(metric) -%}
coalesce(
        day.{{ metric.name }}
        + CASE
            WHEN day.lacks_{{ metric.name }} THEN coalesce({{ sum_of_earlier_figures(metric) }}, 0)
            ELSE 0
        END,
        CASE WHEN NOT day.has_rows AND completeness.is_complete THEN 0 END
    )
{%- endmacro %}
{% set follows_previous_day -%}
coalesce(previous.stat_date, article.publication_date - 1) = day.calendar_date - 1
{%- endset %}
-- The gain of an account on a day is a signed sum: each row counts on its own day and, negated, on
-- the next day while that day is in the article's window. `gap` corrects the sums where an article
-- lacks a row. Where a row lacks a figure, the last known figure counts. That figure is looked up
-- after the sums and only for such days.
INSERT INTO weixin.account_day (
    dataset,
    appid,
    calendar_date,
    {% for metric in dataset.wholes %}
    {{ metric.name }}_increment,
    {% endfor %}
    is_complete,
    has_all_rows
)
WITH requested AS MATERIALIZED (
    SELECT
        state.appid,
        state.stale_from,
        answered.last_date,
        answered.last_attempt_date
    FROM weixin.account_day_state AS state
    CROSS JOIN
        LATERAL (
            SELECT
                greatest(max(coverage.day), max(coverage.through_date)) AS last_date,
                {{ beijing("max(coverage.attempted_at)") }} AS last_attempt_date
            FROM weixin.coverage
            WHERE coverage.appid = state.appid AND coverage.dataset = '{{ dataset.name }}'
        ) AS answered
    WHERE state.dataset = '{{ dataset.name }}' AND state.appid = any(:appids)
),

{% if dataset == old %}
-- Publication days of articles that only the successor lists. They are few, and an index has them.
unseen AS MATERIALIZED (
    SELECT
        article.appid,
        article.publication_date
    FROM requested
    INNER JOIN weixin.dim_article AS article
        ON requested.appid = article.appid
    WHERE
        {{ is_unseen("article", old, new) | indent(4) }}
        AND article.publication_date > requested.stale_from - {{ dataset.window }}
),

{% endif %}
-- Publication days on which an article may lack a row, judged by the counts in coverage. They are
-- few.
irregular AS (
    SELECT
        requested.appid,
        requested.stale_from,
        incomplete.day,
        incomplete.settled,
        incomplete.last_date
    FROM requested
    CROSS JOIN
        LATERAL (
            -- Publication days of articles that are no longer listed or were moved to that day.
            SELECT array_agg(unlisted_or_moved.publication_date) AS dates
            FROM (
                SELECT article.publication_date
                FROM weixin.dim_article AS article
                WHERE
                    article.appid = requested.appid
                    -- An index has the few unlisted articles.
                    AND jsonb_path_exists(article.unlisted_since, '$.* ? (@ != null)')
                    AND NOT {{ is_listed("article", dataset) }}
                UNION ALL
                SELECT fact.publication_date
                FROM weixin.{{ dataset.fact }} AS fact
                WHERE fact.appid = requested.appid AND fact.stat_date < fact.publication_date
            ) AS unlisted_or_moved
        ) AS exceptional
    CROSS JOIN
        LATERAL (
            SELECT answered.*
            FROM (
                SELECT
                    coverage.*,
                    -- No answer can have a row of a later day.
                    least(
                        coverage.day + {{ dataset.window - 1 }}, requested.last_attempt_date - 1
                    ) AS last_date
                FROM weixin.coverage
                WHERE
                    coverage.appid = requested.appid
                    AND coverage.dataset = '{{ dataset.name }}'
                    AND coverage.day > requested.stale_from - {{ dataset.window }}
            ) AS answered
            WHERE
                answered.article_count > 0
                -- With a boolean the planner would expect half of the rows.
                AND coalesce(
                    answered.last_date = answered.through_date
                    AND answered.article_count * (answered.through_date - answered.day + 1)
                    = answered.row_count
                    AND (answered.day = any(exceptional.dates)) IS NOT TRUE, FALSE
                )::integer = 0
            -- OFFSET makes Postgres filter first: few days remain whose articles are looked up.
            OFFSET 0 -- noqa: AM09
        ) AS incomplete
),

-- The days on which an article lacks a row, and the day of its next row. The signed sum subtracts
-- the last row too early, on the day after that row, and lacks it on the day of the next row.
gap AS (
    SELECT
        irregular.appid,
        article.msgid,
        day.calendar_date,
        previous.*,
        ({{ follows_previous_day }})::integer - present.row_count AS sign,
        -- The day lacks an expected row, or an increment spans the day.
        (
            present.row_count = 0
            AND coalesce(irregular.settled, '') != 'final'
            AND {{ is_listed("article", dataset) }}
        ) OR present.row_count = 1 OR EXISTS (
            SELECT FROM weixin.{{ dataset.fact }} AS later
            WHERE
                later.appid = article.appid
                AND later.msgid = article.msgid
                AND later.stat_date > day.calendar_date
        ) AS is_unknown
    FROM irregular
    INNER JOIN weixin.dim_article AS article
        ON irregular.appid = article.appid AND irregular.day = article.publication_date
    -- The planner expects ten entries of an array, and a thousand of a series.
    CROSS JOIN
        LATERAL unnest(
            array(
                SELECT
                    period.first_date
                    + generate_series(0, irregular.last_date - period.first_date)
                FROM (
                    SELECT least(article.publication_date, min(fact.stat_date) + 1) AS first_date
                    FROM weixin.{{ dataset.fact }} AS fact
                    WHERE fact.appid = article.appid AND fact.msgid = article.msgid
                ) AS period
            )
        ) AS day (calendar_date)
    CROSS JOIN
        LATERAL (
            SELECT count(*) AS row_count
            FROM weixin.{{ dataset.fact }} AS fact
            WHERE
                fact.appid = article.appid
                AND fact.msgid = article.msgid
                AND fact.stat_date = day.calendar_date
        ) AS present
    LEFT JOIN LATERAL (
        SELECT
            {% for metric in dataset.wholes %}
            fact.{{ metric.name }},
            {% endfor %}
            fact.stat_date
        FROM weixin.{{ dataset.fact }} AS fact
        WHERE
            fact.appid = article.appid
            AND fact.msgid = article.msgid
            AND fact.stat_date < day.calendar_date
        ORDER BY fact.stat_date DESC
        LIMIT 1
    ) AS previous ON TRUE
    WHERE
        day.calendar_date >= irregular.stale_from
        AND (present.row_count = 0 OR NOT {{ follows_previous_day }})
),

-- Rows of articles whose window reaches the requested days. An article's publication day leads to
-- its rows, so the cost does not grow with the fact.
fact_row AS (
    SELECT
        requested.stale_from,
        {% for metric in dataset.wholes %}
        fact.{{ metric.name }},
        {% endfor %}
        fact.appid,
        fact.publication_date,
        fact.stat_date
    FROM requested
    INNER JOIN weixin.dim_article AS article
        ON
            requested.appid = article.appid
            AND requested.stale_from - {{ dataset.window }} <= article.publication_date
            -- The planner estimates from a constant how few articles these are.
            AND article.publication_date >= (:since)::date - {{ dataset.window }}
    INNER JOIN weixin.{{ dataset.fact }} AS fact
        ON
            article.appid = fact.appid
            AND article.msgid = fact.msgid
            AND requested.stale_from - 1 <= fact.stat_date
            AND fact.stat_date >= (:since)::date - 1
),

-- Everything that counts on a day: rows of the day, rows of the day before, gaps, and one row for
-- each requested day.
contribution AS (
    {% for days, kind in [(0, 2), (1, 0)] %}
    SELECT
        fact_row.appid,
        fact_row.stat_date{{ " + 1" if days }} AS calendar_date,
        {% for metric in dataset.wholes %}
        {{ "-" if days }}sum(fact_row.{{ metric.name }}) AS {{ metric.name }},
        -- Counting the missing figures is cheapest: this filter passes almost no row.
        count(*) FILTER (WHERE fact_row.{{ metric.name }} IS NULL) AS lacks_{{ metric.name }},
        {% endfor %}
        FALSE AS is_unknown,
        {{ kind }} AS kind
    FROM fact_row
    WHERE
        fact_row.stat_date{{ " + 1" if days }} >= fact_row.stale_from
        AND fact_row.stat_date{{ " + 1" if days }}
        < fact_row.publication_date + {{ dataset.window }}
    GROUP BY fact_row.appid, fact_row.stat_date
    UNION ALL
    {% endfor %}
    SELECT
        gap.appid,
        gap.calendar_date,
        {% for metric in dataset.wholes %}
        gap.sign * coalesce(
            gap.{{ metric.name }},
            {{ known_before(metric.name, dataset.fact, "gap") | indent(12) }}
        )::numeric,
        0::bigint,
        {% endfor %}
        gap.is_unknown,
        0
    FROM gap
    UNION ALL
    SELECT
        requested.appid,
        calendar.calendar_date,
        {% for metric in dataset.wholes %}
        0::numeric,
        0::bigint,
        {% endfor %}
        FALSE,
        1
    FROM requested
    INNER JOIN analytics.calendar
        ON calendar.calendar_date BETWEEN requested.stale_from AND requested.last_date
),

day_sum AS (
    SELECT
        contribution.appid,
        contribution.calendar_date,
        {% for metric in dataset.wholes %}
        CASE
            WHEN count(contribution.{{ metric.name }}) FILTER (WHERE contribution.kind = 2) > 0
                THEN sum(contribution.{{ metric.name }})
        END AS {{ metric.name }},
        sum(contribution.lacks_{{ metric.name }}) > 0 AS lacks_{{ metric.name }},
        {% endfor %}
        bool_or(contribution.is_unknown) AS has_unknown,
        max(contribution.kind) = 2 AS has_rows
    FROM contribution
    GROUP BY contribution.appid, contribution.calendar_date
    HAVING max(contribution.kind) > 0
)

SELECT
    '{{ dataset.name }}' AS dataset,
    day.appid,
    day.calendar_date,
    {% for metric in dataset.wholes %}
    {{ day_increment(metric) }} AS {{ metric.name }}_increment,
    {% endfor %}
    completeness.is_complete,
    completeness.has_all_rows
FROM day_sum AS day
CROSS JOIN
    LATERAL (
        SELECT
            count(*) FILTER (
                WHERE
                answered.ready_date > day.calendar_date
                AND (
                    answered.settled = 'final'
                    OR answered.ready_date < answered.day + {{ dataset.window }}
                    -- Unconfirmed, but the answer of an earlier day lists the same articles.
                    OR {{ beijing("answered.listed_since") }} < answered.ready_date
                )
            ) AS answered_days,
            count(*) FILTER (
                WHERE
                answered.ready_date > day.calendar_date
                AND (
                    answered.settled = 'final'
                    OR answered.list_sha256 = sha256('')
                    OR answered.through_date >= day.calendar_date
                )
            ) AS counted_days
        FROM (
            SELECT
                coverage.*,
                {{ beijing("coverage.ready_at") }} AS ready_date
            FROM weixin.coverage
            WHERE
                coverage.appid = day.appid
                AND coverage.dataset = '{{ dataset.name }}'
                AND coverage.day
                BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
                AND coverage.list_sha256 IS NOT NULL
        ) AS answered
    ) AS publication_window
CROSS JOIN
    LATERAL (
        SELECT
            NOT day.has_unknown
            {% for metric in dataset.headline %}
            AND NOT day.lacks_{{ metric }}
            {% endfor %}
            AND publication_window.answered_days = {{ dataset.window }}
            -- A rejected part without a known stat_date may belong to any day of its window.
            AND NOT EXISTS (
                SELECT FROM weixin.rejected_row AS part
                WHERE
                    part.resolved_at IS NULL
                    AND part.appid = day.appid
                    AND part.dataset = '{{ dataset.name }}'
                    AND part.day
                    BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
                    AND coalesce(
                        part.stat_date < part.day
                        OR day.calendar_date - part.stat_date IN (0, 1), TRUE
                    )
            )
            {{ "AND lists_all" if dataset == old }} AS is_complete,
            publication_window.counted_days = {{ dataset.window }}
            {{ "AND lists_all" if dataset == old }} AS has_all_rows
        {% if dataset == old %}
        FROM (
            SELECT NOT EXISTS (
                SELECT FROM unseen
                WHERE
                    unseen.appid = day.appid
                    AND unseen.publication_date
                    BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
            ) AS lists_all
        ) AS listing
        {% endif %}
    ) AS completeness
-- Days of which nothing is known have no row: later answers may extend the period without notice.
WHERE day.has_rows OR completeness.is_complete OR completeness.has_all_rows
