{# for each: datasets #}
-- One row per account and calendar day of {{ dataset.endpoint }}: what all articles of the account
-- gained that day. The days begin with the first publication day asked for and end yesterday
-- (Beijing), or for an account no longer collected on the last day asked for. An increment that
-- spans a gap counts on its last day. NULL means unknown; 0 means that the day is known and nothing
-- was gained
-- 中文：每个公众号、每一天一行：当日全部文章的新增值
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import common_increment, increment, is_listed, known_before %}
{% from "weixin/macros.jinja" import beijing %}
{% import "analytics/columns.jinja" as shared %}
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
{% set gained_on_the_day -%}
gained on the day over all articles within their window of {{ dataset.window }} days;
    -- NULL when unknown
{%- endset %}
CREATE VIEW analytics.account_day{{ dataset.suffix }} (
    {{ shared.appid }},
    {{ shared.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day that either endpoint has listed
    -- 中文：当日发布文章数
    -- unit: articles, additive
    articles_published,
    {% for common in dataset.common %}
    {{ common_increment(common, dataset, gained_on_the_day) }}
    {{ common.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ increment(metric, gained_on_the_day) }}
    {{ metric.name }}_increment,
    {% endfor %}
    -- Whether everything gained on the day is known: each of the {{ dataset.window }} publication
    -- days whose window contains the day has a later answer, every expected article has a row with
    -- {{ dataset.headline | join(" and ") }}, no increment spans a gap, and no part of these rows
    -- was rejected. Also false in the first days that were loaded
    -- 中文：当日数据是否完整
    is_complete
) AS
-- The gain of an account on a day is a signed sum: each row counts on its own day and, negated, on
-- the next day while that day is in the article's window. `gap` corrects the sums where an article
-- lacks a row. Where a row lacks a figure, the last known figure counts. That figure is looked up
-- after the sums and only for such days, so several processes can share the sums.
WITH requested AS (
    SELECT
        account.appid,
        account.name AS account_name,
        greatest(date '{{ dataset.first_day }}', least(min(coverage.day), daily.since_date))
            AS first_date,
        CASE
            WHEN account.is_active THEN {{ beijing("now()") }} - 1
            ELSE greatest(max(coverage.day), max(coverage.through_date))
        END AS last_date
    FROM weixin.dim_account AS account
    LEFT JOIN weixin.collected_since AS daily
        ON account.appid = daily.appid AND daily.dataset = '{{ dataset.name }}'
    LEFT JOIN weixin.coverage
        ON account.appid = coverage.appid AND coverage.dataset = '{{ dataset.name }}'
    GROUP BY account.appid, daily.since_date
    HAVING count(coverage.day) > 0 OR daily.since_date IS NOT NULL
),

-- Publication days on which an article may lack a row, judged by the counts in coverage. They are
-- few.
irregular AS (
    SELECT
        account.appid,
        account.name AS account_name,
        incomplete.day,
        incomplete.settled,
        incomplete.last_date
    FROM weixin.dim_account AS account
    CROSS JOIN
        LATERAL (
            -- Publication days of articles that are no longer listed or were moved to that day.
            SELECT array_agg(unlisted_or_moved.publication_date) AS dates
            FROM (
                SELECT article.publication_date
                FROM weixin.dim_article AS article
                WHERE
                    article.appid = account.appid
                    -- An index has the few unlisted articles.
                    AND jsonb_path_exists(article.unlisted_since, '$.* ? (@ != null)')
                    AND NOT {{ is_listed("article", dataset) }}
                UNION ALL
                SELECT fact.publication_date
                FROM weixin.{{ dataset.fact }} AS fact
                WHERE fact.appid = account.appid AND fact.stat_date < fact.publication_date
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
                        coverage.day + {{ dataset.window - 1 }},
                        {{ beijing("max(coverage.attempted_at) OVER ()") }} - 1
                    ) AS last_date
                FROM weixin.coverage
                WHERE coverage.appid = account.appid AND coverage.dataset = '{{ dataset.name }}'
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
        irregular.account_name,
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
    WHERE present.row_count = 0 OR NOT {{ follows_previous_day }}
),

-- Everything that counts on a day: rows of the day, rows of the day before, gaps, and one row for
-- each requested day.
contribution AS (
    {% for kind in ["row", "subtracted"] %}
    SELECT
        account.appid,
        account.name AS account_name,
        fact.stat_date{{ " + 1" if kind == "subtracted" }} AS calendar_date,
        {% for metric in dataset.wholes %}
        {{ "-" if kind == "subtracted" }}sum(fact.{{ metric.name }}) AS {{ metric.name }},
        -- Counting the missing figures is cheapest: this filter passes almost no row.
        count(*) FILTER (WHERE fact.{{ metric.name }} IS NULL) AS lacks_{{ metric.name }},
        {% endfor %}
        FALSE AS is_unknown,
        {{ "2" if kind == "row" else "0" }} AS kind
    FROM weixin.dim_account AS account
    INNER JOIN weixin.{{ dataset.fact }} AS fact
        ON account.appid = fact.appid
    WHERE
        fact.stat_date{{ " + 1" if kind == "subtracted" }}
        < fact.publication_date + {{ dataset.window }}
    GROUP BY account.appid, account.name, fact.stat_date{{ " + 1" if kind == "subtracted" }}
    UNION ALL
    {% endfor %}
    SELECT
        gap.appid,
        gap.account_name,
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
        requested.account_name,
        calendar.calendar_date,
        {% for metric in dataset.wholes %}
        0::numeric,
        0::bigint,
        {% endfor %}
        FALSE,
        1
    FROM requested
    INNER JOIN analytics.calendar
        ON calendar.calendar_date BETWEEN requested.first_date AND requested.last_date
),

day_sum AS (
    SELECT
        contribution.appid,
        contribution.account_name,
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
    GROUP BY contribution.appid, contribution.account_name, contribution.calendar_date
    HAVING max(contribution.kind) > 0
)

SELECT
    day.appid,
    day.account_name,
    day.calendar_date,
    (
        SELECT count(*)
        FROM weixin.dim_article AS article
        WHERE article.appid = day.appid AND article.publication_date = day.calendar_date
    ) AS articles_published,
    {% for common in dataset.common %}
    {{ day_increment(common.metric) if common.metric else "NULL::numeric" }}
        AS {{ common.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ day_increment(metric) }} AS {{ metric.name }}_increment,
    {% endfor %}
    completeness.is_complete
FROM day_sum AS day
CROSS JOIN
    LATERAL (
        SELECT
            NOT day.has_unknown
            {% for metric in dataset.headline %}
            AND NOT day.lacks_{{ metric }}
            {% endfor %}
            AND (
                SELECT count(*)
                FROM weixin.coverage
                WHERE
                    coverage.appid = day.appid
                    AND coverage.dataset = '{{ dataset.name }}'
                    AND coverage.day
                    BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
                    AND coverage.list_sha256 IS NOT NULL
                    AND {{ beijing("coverage.ready_at") }} > day.calendar_date
                    AND (
                        coverage.settled = 'final'
                        OR {{ beijing("coverage.ready_at") }} < coverage.day + {{ dataset.window }}
                        -- Unconfirmed, but the answer of an earlier day lists the same articles.
                        OR {{ beijing("coverage.listed_since") }}
                        < {{ beijing("coverage.ready_at") }}
                    )
            ) = {{ dataset.window }}
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
            ) AS is_complete
    ) AS completeness
