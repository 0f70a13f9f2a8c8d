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
{% macro added_up(metric, rows) -%}
sum(
            {{ rows }}.sign * coalesce(
                {{ rows }}.{{ metric }},
                {{ known_before(metric, dataset.fact, rows) | indent(16) }}
            )
        )
{%- endmacro %}
{% macro gained(name) -%}
coalesce(day.{{ name }}_gained, CASE WHEN day.row_count = 0 AND day.is_complete THEN 0 END)
{%- endmacro %}
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
    -- Articles within their {{ dataset.window }} days that must have a row of the day, as far as
    -- known. An article without it is not expected when the newest ready answer of its publication
    -- day no longer lists it, or when that publication day is final
    -- 中文：当日应有数据的文章数
    -- unit: articles, level
    articles_expected,
    -- Those expected articles that have a row of the day
    -- 中文：当日已有数据的文章数
    -- unit: articles, level
    articles_reported,
    {% for it in dataset.common %}
    {{ common_increment(it, dataset, gained_on_the_day) }}
    {{ it.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ increment(metric, gained_on_the_day) }}
    {{ metric.name }}_increment,
    {% endfor %}
    -- Whether everything that came on the day is known. Each of the {{ dataset.window }}
    -- publication days whose window contains the day has a ready answer of a later day (Beijing)
    -- that says something (an empty one does not, on a day on which WeChat listed no article of the
    -- account) and, if that answer is of when the window was over, is final; every expected article
    -- has a row, and its rows of the day and of the day before give
    -- {{ dataset.headline | join(" and ") }};
    -- no increment spans a gap that covers the day or ends on it; and no value of the day or of the
    -- day before was rejected, nor an article or a row that may belong to any day of the window,
    -- unless a newer answer gave it (analytics.coverage counts these). Also false near the start of
    -- what was loaded. Any other figure that a row left out counts on the day on which it came
    -- 中文：当日数据是否完整
    is_complete
) AS
-- What an account gained on a day is a signed sum: a row counts on its own day and, negated, on the
-- next one while its article is followed. Before a gap of an article, the row stops counting on the
-- day of the next row instead. Where a row lacks a figure, the last known one counts.
WITH asked AS (
    SELECT
        account.appid,
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

signed AS (
    {% for is_row in [true, false] %}
    SELECT
        fact.appid,
        fact.msgid,
        fact.publication_date,
        fact.stat_date,
        {% for metric in dataset.wholes %}
        fact.{{ metric.name }},
        {% endfor %}
        fact.stat_date{{ "" if is_row else " + 1" }} AS calendar_date,
        {{ 1 if is_row else -1 }} AS sign,
        {{ is_row | upper }} AS is_row
    FROM weixin.{{ dataset.fact }} AS fact
    UNION ALL
    {% endfor %}
    SELECT
        asked.appid,
        NULL,
        NULL,
        NULL,
        {% for metric in dataset.wholes %}
        0::bigint,
        {% endfor %}
        calendar.calendar_date,
        0,
        NULL
    FROM asked
    INNER JOIN analytics.calendar
        ON calendar.calendar_date BETWEEN asked.first_date AND asked.last_date
),

day AS (
    SELECT
        its.appid,
        its.name AS account_name,
        signed.calendar_date,
        count(*) FILTER (WHERE signed.is_row) AS row_count,
        count(*) FILTER (WHERE signed.is_row AND signed.stat_date >= signed.publication_date)
            AS articles_reported,
        {% for metric in dataset.wholes %}
        CASE
            WHEN count(signed.{{ metric.name }}) FILTER (WHERE signed.is_row) > 0
                THEN {{ added_up(metric.name, "signed") | indent }}
        END AS {{ metric.name }},
        {% endfor %}
        bool_and({{ "signed." ~ dataset.headline | join(" IS NOT NULL AND signed.") }} IS NOT NULL)
            AS has_headline
    FROM weixin.dim_account AS its
    INNER JOIN signed
        ON its.appid = signed.appid
    -- not in each part: a planner looks through parts without conditions only
    WHERE (signed.calendar_date < signed.publication_date + {{ dataset.window }}) IS NOT FALSE
    GROUP BY its.appid, signed.calendar_date
    HAVING bool_or(coalesce(signed.is_row, TRUE))
),

-- the days on which an article lacks a row, and the one that the next row is of
gap AS (
    SELECT
        account.appid,
        account.name AS account_name,
        article.msgid,
        span.*,
        day.calendar_date,
        CASE day.calendar_date
            WHEN span.stat_date + 1 THEN 1
            WHEN span.next_date THEN -1
            ELSE 0
        END AS sign,
        (day.calendar_date = span.next_date) IS NOT TRUE
        AND coalesce(pair.settled, '') != 'final'
        AND {{ is_listed("article", dataset) }} AS is_lacking
    FROM weixin.dim_account AS account
    CROSS JOIN
        LATERAL (
            -- no answer can have a row of a later day
            SELECT {{ beijing("max(attempted_at)") }} - 1 AS date
            FROM weixin.coverage
            WHERE appid = account.appid AND dataset = '{{ dataset.name }}'
        ) AS reached
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
    -- a planner expects half of the pairs if this is a boolean
    INNER JOIN weixin.coverage AS pair
        ON
            account.appid = pair.appid
            AND pair.dataset = '{{ dataset.name }}'
            AND pair.article_count > 0
            AND coalesce(
                least(pair.day + {{ dataset.window - 1 }}, reached.date) = pair.through_date
                AND pair.article_count * (pair.through_date - pair.day + 1) = pair.row_count
                AND (pair.day = any(odd.dates)) IS NOT TRUE, FALSE
            )::integer = 0
    INNER JOIN weixin.dim_article AS article
        ON pair.appid = article.appid AND pair.day = article.publication_date
    CROSS JOIN
        LATERAL (
            SELECT
                its_row.*,
                lead(its_row.stat_date) OVER (ORDER BY its_row.stat_date) AS next_date
            FROM (
                SELECT
                    {% for metric in dataset.wholes %}
                    fact.{{ metric.name }},
                    {% endfor %}
                    fact.stat_date
                FROM weixin.{{ dataset.fact }} AS fact
                WHERE fact.appid = article.appid AND fact.msgid = article.msgid
                UNION ALL
                SELECT
                    {% for metric in dataset.wholes %}
                    0,
                    {% endfor %}
                    article.publication_date - 1
                WHERE NOT EXISTS (
                        SELECT FROM weixin.{{ dataset.fact }} AS moved
                        WHERE
                            moved.appid = article.appid
                            AND moved.msgid = article.msgid
                            AND moved.stat_date < article.publication_date
                    )
            ) AS its_row
        ) AS span
    -- of an array a planner expects ten entries, of a series a thousand
    CROSS JOIN
        LATERAL unnest(
            array(
                SELECT span.stat_date + generate_series(
                    1,
                    least(
                        coalesce(span.next_date, reached.date), pair.day + {{ dataset.window - 1 }}
                    ) - span.stat_date
                )
            )
        ) AS day (calendar_date)
    WHERE span.next_date IS DISTINCT FROM span.stat_date + 1
),

judged AS (
    SELECT
        day.*,
        {% for metric in dataset.wholes %}
        day.{{ metric.name }} + coalesce(lacking.{{ metric.name }}, 0) AS {{ metric.name }}_gained,
        {% endfor %}
        coalesce(lacking.article_count, 0) AS articles_lacking,
        day.has_headline
        AND lacking.spoils IS NOT TRUE
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
                    {{ beijing("pair.ready_at") }} < pair.day + {{ dataset.window }}
                    OR pair.settled = 'final'
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
                    part.stat_date < part.day OR day.calendar_date - part.stat_date IN (0, 1), TRUE
                )
        ) AS is_complete
    FROM day
    LEFT JOIN (
        SELECT
            gap.appid,
            gap.account_name,
            gap.calendar_date,
            {% for metric in dataset.wholes %}
            {{ added_up(metric.name, "gap") | indent }} AS {{ metric.name }},
            {% endfor %}
            count(*) FILTER (WHERE gap.is_lacking) AS article_count,
            bool_or(gap.is_lacking OR gap.next_date IS NOT NULL) AS spoils
        FROM gap
        GROUP BY gap.appid, gap.account_name, gap.calendar_date
    ) AS lacking
        ON
            day.appid = lacking.appid
            AND day.account_name = lacking.account_name
            AND day.calendar_date = lacking.calendar_date
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
    day.articles_reported + day.articles_lacking AS articles_expected,
    day.articles_reported,
    {% for it in dataset.common %}
    {{ gained(it.metric.name) if it.metric else "NULL::numeric" }} AS {{ it.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ gained(metric.name) }} AS {{ metric.name }}_increment,
    {% endfor %}
    day.is_complete
FROM judged AS day
