{# for each: datasets #}
-- One row per account and calendar day of {{ dataset.endpoint }}, from the first publication day
-- asked for to yesterday (Beijing), or for an account no longer collected to the last day asked
-- for: what all its articles gained that day. An increment that spans a gap counts on its last day.
-- NULL means unknown, 0 that the day is known and nothing came
-- 中文：每个公众号、每一天一行：当日全部文章的新增值
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import common_increment, increment, is_listed, known_before %}
{% from "weixin/macros.jinja" import beijing %}
{% import "analytics/columns.jinja" as the %}
{#- What count on a day because of rows without a figure: WeChat leaves figures out. -#}
{% macro known_earlier(metric) -%}
(
            SELECT sum(
                counted.sign * {{ known_before(metric.name, dataset.fact, "silent") | indent(16) }}
            )
            FROM weixin.{{ dataset.fact }} AS silent
            INNER JOIN (VALUES (0, 1), (1, -1)) AS counted (days, sign)
                ON day.calendar_date - counted.days = silent.stat_date
            WHERE
                silent.appid = day.appid
                AND silent.{{ metric.name }} IS NULL
                AND day.calendar_date < silent.publication_date + {{ dataset.window }}
        )
{%- endmacro %}
{#- The figure of a day; nothing came on one that is known in full and has no rows. -#}
{% macro gained(metric) -%}
coalesce(
        day.{{ metric.name }}
        + CASE
            WHEN day.lacks_{{ metric.name }} THEN coalesce({{ known_earlier(metric) }}, 0)
            ELSE 0
        END,
        CASE WHEN NOT day.has_rows AND known.is_complete THEN 0 END
    )
{%- endmacro %}
{% set follows -%}
coalesce(before.stat_date, article.publication_date - 1) = day.calendar_date - 1
{%- endset %}
{% set gained_on_the_day -%}
gained on the day over all articles within their window of {{ dataset.window }} days; NULL when unknown
{%- endset %}
CREATE VIEW analytics.account_day{{ dataset.suffix }} (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day, as far as known from either endpoint
    -- 中文：当日发布文章数
    -- unit: articles, additive
    articles_published,
    {% for it in dataset.common %}
    {{ common_increment(it, dataset, gained_on_the_day) }}
    {{ it.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ increment(metric, gained_on_the_day) }}
    {{ metric.name }}_increment,
    {% endfor %}
    -- Whether everything that came on the day is known: each of the {{ dataset.window }}
    -- publication days that count on it was answered after it, every expected article has a row
    -- with {{ dataset.headline | join(" and ") }}, no increment spans a gap, and nothing that may
    -- be of these rows was rejected. Also false near the start of what was loaded
    -- 中文：当日数据是否完整
    is_complete
) AS
-- What an account gained on a day is a signed sum: a row counts on its own day and, negated, on the
-- next one while its article is followed. Where an article lacks a row, `gap` corrects that. Where
-- a row lacks a figure, the last known one counts: it is looked up for such days alone, after the
-- sums, which several processes can share then.
WITH asked AS (
    SELECT
        account.appid,
        account.name AS account_name,
        greatest(date '{{ dataset.first_day }}', least(min(pair.day), daily.since_date))
            AS first_date,
        CASE
            WHEN account.is_active THEN {{ beijing("now()") }} - 1
            ELSE greatest(max(pair.day), max(pair.through_date))
        END AS last_date
    FROM weixin.dim_account AS account
    LEFT JOIN weixin.collected_since AS daily
        ON account.appid = daily.appid AND daily.dataset = '{{ dataset.name }}'
    LEFT JOIN weixin.coverage AS pair
        ON account.appid = pair.appid AND pair.dataset = '{{ dataset.name }}'
    GROUP BY account.appid, daily.since_date
    HAVING count(pair.day) > 0 OR daily.since_date IS NOT NULL
),

-- pairs of which an article may lack a row, by what coverage counts; few
irregular AS (
    SELECT
        account.appid,
        account.name AS account_name,
        pair.day,
        pair.settled,
        pair.last_date
    FROM weixin.dim_account AS account
    CROSS JOIN
        LATERAL (
            -- publication days of articles that are listed no more, or were moved to them
            SELECT array_agg(its.publication_date) AS dates
            FROM (
                SELECT article.publication_date
                FROM weixin.dim_article AS article
                WHERE
                    article.appid = account.appid
                    -- few are unlisted, and an index has them
                    AND jsonb_path_exists(article.unlisted_since, '$.* ? (@ != null)')
                    AND NOT {{ is_listed("article", dataset) }}
                UNION ALL
                SELECT fact.publication_date
                FROM weixin.{{ dataset.fact }} AS fact
                WHERE fact.appid = account.appid AND fact.stat_date < fact.publication_date
            ) AS its
        ) AS odd
    CROSS JOIN
        LATERAL (
            SELECT its.*
            FROM (
                SELECT
                    coverage.*,
                    -- no answer can have a row of a later day
                    least(
                        coverage.day + {{ dataset.window - 1 }},
                        {{ beijing("max(coverage.attempted_at) OVER ()") }} - 1
                    ) AS last_date
                FROM weixin.coverage
                WHERE coverage.appid = account.appid AND coverage.dataset = '{{ dataset.name }}'
            ) AS its
            WHERE
                its.article_count > 0
                -- a planner expects half of the pairs if this is a boolean
                AND coalesce(
                    its.last_date = its.through_date
                    AND its.article_count * (its.through_date - its.day + 1) = its.row_count
                    AND (its.day = any(odd.dates)) IS NOT TRUE, FALSE
                )::integer = 0
            -- before their articles are looked up: few are left
            OFFSET 0 -- noqa: AM09
        ) AS pair
),

-- the days on which an article lacks a row, and the one that its next row is of: what the sums
-- take away too early, on the day after its last row, and too late
gap AS (
    SELECT
        pair.appid,
        pair.account_name,
        article.msgid,
        day.calendar_date,
        before.*,
        ({{ follows }})::integer - own.row_count AS sign,
        -- it lacks a row that is expected, or an increment spans the day
        (
            own.row_count = 0
            AND coalesce(pair.settled, '') != 'final'
            AND {{ is_listed("article", dataset) }}
        ) OR own.row_count = 1 OR EXISTS (
            SELECT FROM weixin.{{ dataset.fact }} AS later
            WHERE
                later.appid = article.appid
                AND later.msgid = article.msgid
                AND later.stat_date > day.calendar_date
        ) AS spoils
    FROM irregular AS pair
    INNER JOIN weixin.dim_article AS article
        ON pair.appid = article.appid AND pair.day = article.publication_date
    -- of an array a planner expects ten entries, of a series a thousand
    CROSS JOIN
        LATERAL unnest(
            array(
                SELECT first.date + generate_series(0, pair.last_date - first.date)
                FROM (
                    SELECT least(article.publication_date, min(its.stat_date) + 1) AS date
                    FROM weixin.{{ dataset.fact }} AS its
                    WHERE its.appid = article.appid AND its.msgid = article.msgid
                ) AS first
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
        ) AS own
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
    ) AS before ON TRUE
    WHERE own.row_count = 0 OR NOT {{ follows }}
),

-- all that counts on a day: rows of the day, those of the day before, gaps, and the days asked for
signed AS (
    {% for kind in ["row", "subtracted"] %}
    SELECT
        account.appid,
        account.name AS account_name,
        fact.stat_date{{ " + 1" if kind == "subtracted" }} AS calendar_date,
        {% for metric in dataset.wholes %}
        {{ "-" if kind == "subtracted" }}sum(fact.{{ metric.name }}) AS {{ metric.name }},
        -- not how many have it: a filter that lets no row through costs least
        count(*) FILTER (WHERE fact.{{ metric.name }} IS NULL) AS lacks_{{ metric.name }},
        {% endfor %}
        FALSE AS spoils,
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
        gap.spoils,
        0
    FROM gap
    UNION ALL
    SELECT
        asked.appid,
        asked.account_name,
        calendar.calendar_date,
        {% for metric in dataset.wholes %}
        0::numeric,
        0::bigint,
        {% endfor %}
        FALSE,
        1
    FROM asked
    INNER JOIN analytics.calendar
        ON calendar.calendar_date BETWEEN asked.first_date AND asked.last_date
),

summed AS (
    SELECT
        signed.appid,
        signed.account_name,
        signed.calendar_date,
        {% for metric in dataset.wholes %}
        CASE
            WHEN count(signed.{{ metric.name }}) FILTER (WHERE signed.kind = 2) > 0
                THEN sum(signed.{{ metric.name }})
        END AS {{ metric.name }},
        sum(signed.lacks_{{ metric.name }}) > 0 AS lacks_{{ metric.name }},
        {% endfor %}
        bool_or(signed.spoils) AS is_spoilt,
        max(signed.kind) = 2 AS has_rows
    FROM signed
    GROUP BY signed.appid, signed.account_name, signed.calendar_date
    HAVING max(signed.kind) > 0
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
    {% for it in dataset.common %}
    {{ gained(it.metric) if it.metric else "NULL::numeric" }} AS {{ it.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ gained(metric) }} AS {{ metric.name }}_increment,
    {% endfor %}
    known.is_complete
FROM summed AS day
CROSS JOIN
    LATERAL (
        SELECT
            NOT day.is_spoilt
            {% for metric in dataset.headline %}
            AND NOT day.lacks_{{ metric }}
            {% endfor %}
            AND (
                SELECT count(*)
                FROM weixin.coverage AS pair
                WHERE
                    pair.appid = day.appid
                    AND pair.dataset = '{{ dataset.name }}'
                    AND pair.day
                    BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
                    AND pair.list_sha256 IS NOT NULL
                    AND {{ beijing("pair.ready_at") }} > day.calendar_date
                    AND (
                        pair.settled = 'final'
                        OR {{ beijing("pair.ready_at") }} < pair.day + {{ dataset.window }}
                        -- unconfirmed, but it lists what the answer of an earlier day listed
                        OR {{ beijing("pair.listed_since") }} < {{ beijing("pair.ready_at") }}
                    )
            ) = {{ dataset.window }}
            -- of a rejected part whose day is not known, any of its window may be
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
    ) AS known
