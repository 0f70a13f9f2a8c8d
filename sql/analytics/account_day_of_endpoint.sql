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
{#- What rows add up to, each by the last known value: WeChat leaves figures out. -#}
{% macro added_up(rows, metric, sign="") -%}
sum({{ sign }}coalesce(
            {{ rows }}.{{ metric.name }},
            {{ known_before(metric.name, dataset.fact, rows) | indent(12) }}
        ))
{%- endmacro %}
{#- The figure of a day; nothing came on one that is known in full and has no rows. -#}
{% macro gained(metric) -%}
coalesce(day.{{ metric.name }}, CASE WHEN NOT day.has_rows AND day.is_complete THEN 0 END)
{%- endmacro %}
{% set follows -%}
coalesce(before.stat_date, article.publication_date - 1) = day.calendar_date - 1
{%- endset %}
{% set has_headline -%}
bool_and({{ "fact." ~ dataset.headline | join(" IS NOT NULL AND fact.") }} IS NOT NULL)
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
-- next one while its article is followed. Where an article lacks a row, `gap` corrects that. Where
-- a row lacks a figure, the last known one counts.
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
        least(pair.day + {{ dataset.window - 1 }}, reached.date) AS last_date
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
            SELECT array(
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
            ) AS dates
        ) AS odd
    INNER JOIN weixin.coverage AS pair
        ON
            account.appid = pair.appid
            AND pair.dataset = '{{ dataset.name }}'
            AND pair.article_count > 0
            -- a planner expects half of the pairs if this is a boolean
            AND coalesce(
                least(pair.day + {{ dataset.window - 1 }}, reached.date) = pair.through_date
                AND pair.article_count * (pair.through_date - pair.day + 1) = pair.row_count
                AND pair.day != all(odd.dates), FALSE
            )::integer = 0
),

-- the days on which an article lacks a row, and the one that its next row is of: what the sums
-- take away too early, on the day after its last row, and too late
gap AS (
    SELECT
        pair.appid,
        pair.account_name,
        day.calendar_date,
        article.msgid,
        before.*,
        ({{ follows }})::integer - (own.appid IS NOT NULL)::integer AS sign,
        own.appid IS NULL
        AND coalesce(pair.settled, '') != 'final'
        AND {{ is_listed("article", dataset) }} AS is_lacking,
        own.appid IS NOT NULL OR EXISTS (
            SELECT FROM weixin.{{ dataset.fact }} AS later
            WHERE
                later.appid = article.appid
                AND later.msgid = article.msgid
                AND later.stat_date > day.calendar_date
        ) AS is_spanned
    FROM irregular AS pair
    INNER JOIN weixin.dim_article AS article
        ON pair.appid = article.appid AND pair.day = article.publication_date
    INNER JOIN analytics.calendar AS day
        ON
            day.calendar_date
            BETWEEN (
                SELECT least(article.publication_date, min(its.stat_date) + 1)
                FROM weixin.{{ dataset.fact }} AS its
                WHERE its.appid = article.appid AND its.msgid = article.msgid
            ) AND pair.last_date
    LEFT JOIN weixin.{{ dataset.fact }} AS own
        ON
            article.appid = own.appid
            AND article.msgid = own.msgid
            AND day.calendar_date = own.stat_date
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
    WHERE own.appid IS NULL OR NOT {{ follows }}
),

-- all that counts on a day; each part is grouped by itself, which is half the work
counted AS (
    {% for day in ["fact.stat_date", "fact.stat_date + 1"] %}
    SELECT
        account.appid,
        account.name AS account_name,
        {{ day }} AS calendar_date,
        {{ loop.first | upper }} AS is_row,
        {% if loop.first %}
        count(*) FILTER (WHERE fact.stat_date >= fact.publication_date) AS articles_reported,
        {% else %}
        0 AS articles_reported,
        {% endif %}
        0 AS articles_lacking,
        {% for metric in dataset.wholes %}
        {% if day == "fact.stat_date" %}
        CASE WHEN count(fact.{{ metric.name }}) > 0 THEN {{ added_up("fact", metric) }} END
            AS {{ metric.name }},
        {% else %}
        {{ added_up("fact", metric, "-") }} AS {{ metric.name }},
        {% endif %}
        {% endfor %}
        {{ has_headline }} AS is_whole
    FROM weixin.dim_account AS account
    INNER JOIN weixin.{{ dataset.fact }} AS fact
        ON account.appid = fact.appid
    WHERE {{ day }} < fact.publication_date + {{ dataset.window }}
    GROUP BY account.appid, {{ day }}
    UNION ALL
    {% endfor %}
    SELECT
        gap.appid,
        gap.account_name,
        gap.calendar_date,
        FALSE,
        0,
        count(*) FILTER (WHERE gap.is_lacking),
        {% for metric in dataset.wholes %}
        {{ added_up("gap", metric, "gap.sign * ") }},
        {% endfor %}
        NOT bool_or(gap.is_lacking OR gap.is_spanned)
    FROM gap
    GROUP BY gap.appid, gap.account_name, gap.calendar_date
    UNION ALL
    SELECT
        asked.appid,
        asked.account_name,
        calendar.calendar_date,
        NULL,
        0,
        0,
        {% for metric in dataset.wholes %}
        NULL,
        {% endfor %}
        TRUE
    FROM asked
    INNER JOIN analytics.calendar
        ON calendar.calendar_date BETWEEN asked.first_date AND asked.last_date
),

summed AS (
    SELECT
        counted.appid,
        counted.account_name,
        counted.calendar_date,
        bool_or(counted.is_row) IS TRUE AS has_rows,
        max(counted.articles_reported) AS articles_reported,
        max(counted.articles_lacking) AS articles_lacking,
        {% for metric in dataset.wholes %}
        CASE
            WHEN count(counted.{{ metric.name }}) FILTER (WHERE counted.is_row) > 0
                THEN sum(counted.{{ metric.name }})
        END AS {{ metric.name }},
        {% endfor %}
        bool_and(counted.is_whole) AS is_whole
    FROM counted
    GROUP BY counted.appid, counted.account_name, counted.calendar_date
    HAVING bool_or(counted.is_row IS NOT FALSE)
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
    {{ gained(it.metric) if it.metric else "NULL::numeric" }} AS {{ it.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ gained(metric) }} AS {{ metric.name }}_increment,
    {% endfor %}
    day.is_complete
FROM (
    SELECT
        summed.*,
        summed.is_whole
        AND (
            SELECT count(*)
            FROM weixin.coverage AS pair
            WHERE
                pair.appid = summed.appid
                AND pair.dataset = '{{ dataset.name }}'
                AND pair.day
                BETWEEN summed.calendar_date - {{ dataset.window - 1 }} AND summed.calendar_date
                AND pair.list_sha256 IS NOT NULL
                AND {{ beijing("pair.ready_at") }} > summed.calendar_date
                AND (
                    pair.settled = 'final'
                    OR {{ beijing("pair.ready_at") }} < pair.day + {{ dataset.window }}
                )
        ) = {{ dataset.window }}
        -- of a rejected part whose day is not known, any of its window may be
        AND NOT EXISTS (
            SELECT FROM weixin.rejected_row AS part
            WHERE
                part.resolved_at IS NULL
                AND part.appid = summed.appid
                AND part.dataset = '{{ dataset.name }}'
                AND part.day
                BETWEEN summed.calendar_date - {{ dataset.window - 1 }} AND summed.calendar_date
                AND coalesce(
                    part.stat_date < part.day
                    OR summed.calendar_date - part.stat_date IN (0, 1), TRUE
                )
        ) AS is_complete
    FROM summed
) AS day
