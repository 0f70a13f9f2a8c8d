{# for each: datasets #}
-- One row per account and calendar day of {{ dataset.endpoint }}, from the first publication day
-- asked for to yesterday (Beijing), or for an account no longer collected to the last day asked
-- for: what all its articles gained that day. An increment that spans a gap counts on its last day.
-- NULL means unknown, 0 that the day is known and nothing came
-- 中文：每个公众号、每一天一行：当日全部文章的新增值
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import common_increment, increment, is_listed %}
{% from "weixin/macros.jinja" import beijing %}
{#- The articles of days, each with its row of the day, `fact`, and the one `before`. -#}
{% macro articles(pair=none) -%}
weixin.dim_article AS article
        {% if pair %}
            ON {{ pair }}.appid = article.appid AND {{ pair }}.day = article.publication_date
        {% endif %}
        LEFT JOIN weixin.{{ dataset.fact }} AS fact
            ON
                article.appid = fact.appid
                AND article.msgid = fact.msgid
                AND fact.stat_date = day.calendar_date
        LEFT JOIN LATERAL (
            SELECT previous.*
            FROM weixin.{{ dataset.fact }} AS previous
            WHERE
                previous.appid = article.appid
                AND previous.msgid = article.msgid
                AND previous.stat_date < day.calendar_date
            ORDER BY previous.stat_date DESC
            LIMIT 1
        ) AS before ON TRUE
{%- endmacro %}
{#- What the signed sum lacks: the last known total counts, not that of the day before. -#}
{% macro correction(figure) -%}
sum(
                coalesce(
                    CASE
                        WHEN before.stat_date = day.calendar_date - 1
                            THEN before.{{ figure }}
                    END, 0
                )
                - CASE
                    WHEN fact.{{ figure }} IS NOT NULL
                        THEN coalesce(
                                before.{{ figure }}, (
                                    SELECT known.{{ figure }}
                                    FROM weixin.{{ dataset.fact }} AS known
                                    WHERE
                                        known.appid = before.appid
                                        AND known.msgid = before.msgid
                                        AND known.stat_date < before.stat_date
                                        AND known.{{ figure }} IS NOT NULL
                                    ORDER BY known.stat_date DESC
                                    LIMIT 1
                                ), 0
                            )
                    ELSE 0
                END
            )
{%- endmacro %}
{#-
What came of a figure: the signed sum, corrected where an article lacks a row or, looked up article by
article, where a row lacks the figure.
-#}
{% macro gained(name) -%}
CASE
        WHEN day.row_count = 0 THEN CASE WHEN {{ is_complete() }} THEN 0 END
        WHEN day.{{ name }}_count = day.signed_count THEN day.{{ name }} + coalesce(odd.{{ name }}, 0)
        ELSE day.{{ name }} + (
            SELECT
                CASE
                    WHEN count(fact.{{ name }}) > 0
                        THEN {{ correction(name) }}
                END
            FROM {{ articles() }}
            WHERE
                article.appid = day.appid
                AND article.publication_date
                BETWEEN day.calendar_date - {{ dataset.window - 1 }}
                AND greatest(day.calendar_date, account.last_moved_date)
        )
    END
{%- endmacro %}
{% macro is_complete() -%}
(
        odd.articles_lacking = 0
        AND NOT odd.has_gap
        {% for name in dataset.headline %}
        AND day.{{ name }}_count = day.signed_count
        {% endfor %}
        AND (
            SELECT count(*)
            FROM weixin.coverage AS pair
            WHERE
                pair.appid = day.appid
                AND pair.dataset = '{{ dataset.name }}'
                AND pair.day BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
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
                AND part.day BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
                AND coalesce(
                    part.stat_date < part.day OR day.calendar_date - part.stat_date IN (0, 1), TRUE
                )
        )
    )
{%- endmacro %}
{% set gained_on_the_day -%}
gained on the day over all articles within their window of {{ dataset.window }} days; NULL when unknown
{%- endset %}
{% import "analytics/columns.jinja" as the %}
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
-- next one while its article is followed. Where an article may lack a row, it is looked up and the
-- sum corrected.
WITH account AS NOT MATERIALIZED (
    SELECT
        its.appid,
        least(
            asked.first_date,
            CASE
                WHEN daily.since_date IS NOT NULL
                    THEN greatest(daily.since_date, date '{{ dataset.first_day }}')
            END
        ) AS first_date,
        CASE
            WHEN its.is_active THEN {{ beijing("now()") }} - 1
            ELSE greatest(
                    asked.last_date, (
                        SELECT pair.through_date
                        FROM weixin.coverage AS pair
                        WHERE
                            pair.appid = its.appid
                            AND pair.dataset = '{{ dataset.name }}'
                            AND pair.through_date IS NOT NULL
                        ORDER BY pair.day DESC
                        LIMIT 1
                    )
                )
        END AS last_date,
        newest.reached_date,
        odd.dates AS odd_dates,
        odd.last_moved_date
    FROM weixin.dim_account AS its
    LEFT JOIN weixin.collected_since AS daily
        ON its.appid = daily.appid AND daily.dataset = '{{ dataset.name }}'
    CROSS JOIN
        LATERAL (
            SELECT
                min(pair.day) AS first_date,
                max(pair.day) AS last_date
            FROM weixin.coverage AS pair
            WHERE pair.appid = its.appid AND pair.dataset = '{{ dataset.name }}'
        ) AS asked
    CROSS JOIN
        LATERAL (
            -- no answer can have a row of a later day
            SELECT {{ beijing("max(pair.attempted_at)") }} - 1 AS reached_date
            FROM (
                SELECT its_pair.attempted_at
                FROM weixin.coverage AS its_pair
                WHERE its_pair.appid = its.appid AND its_pair.dataset = '{{ dataset.name }}'
                ORDER BY its_pair.day DESC
                LIMIT {{ dataset.window }}
            ) AS pair
        ) AS newest
    CROSS JOIN
        LATERAL (
            -- publication days of articles that are listed no more, or were moved to them
            SELECT
                array_agg(its_odd.publication_date) AS dates,
                max(its_odd.publication_date) FILTER (WHERE its_odd.is_moved) AS last_moved_date
            FROM (
                SELECT
                    article.publication_date,
                    FALSE AS is_moved
                FROM weixin.dim_article AS article
                WHERE
                    article.appid = its.appid
                    -- few are unlisted, and an index has them
                    AND jsonb_path_exists(article.unlisted_since, '$.* ? (@ != null)')
                    AND NOT {{ is_listed("article", dataset) }}
                UNION
                SELECT
                    fact.publication_date,
                    TRUE
                FROM weixin.{{ dataset.fact }} AS fact
                WHERE fact.appid = its.appid AND fact.stat_date < fact.publication_date
            ) AS its_odd
        ) AS odd
),

signed AS (
    SELECT
        fact.appid,
        fact.stat_date AS calendar_date,
        {% for metric in dataset.wholes %}
        fact.{{ metric.name }},
        {% endfor %}
        fact.stat_date >= fact.publication_date AS is_reported,
        fact.stat_date < fact.publication_date + {{ dataset.window }} AS is_followed,
        TRUE AS is_row
    FROM weixin.{{ dataset.fact }} AS fact
    UNION ALL
    SELECT
        fact.appid,
        fact.stat_date + 1,
        {% for metric in dataset.wholes %}
        -fact.{{ metric.name }},
        {% endfor %}
        FALSE,
        fact.stat_date < fact.publication_date + {{ dataset.window - 1 }},
        FALSE
    FROM weixin.{{ dataset.fact }} AS fact
    UNION ALL
    SELECT
        account.appid,
        account.first_date + step.days,
        {% for metric in dataset.wholes %}
        NULL::bigint,
        {% endfor %}
        FALSE,
        TRUE,
        NULL
    FROM account
    CROSS JOIN generate_series(0, account.last_date - account.first_date) AS step (days)
),

day AS (
    SELECT
        its.appid,
        its.name AS account_name,
        signed.calendar_date,
        count(signed.is_row) FILTER (WHERE signed.is_row) AS row_count,
        count(signed.is_row) AS signed_count,
        {% for metric in dataset.wholes %}
        count(signed.{{ metric.name }}) AS {{ metric.name }}_count,
        sum(signed.{{ metric.name }}) AS {{ metric.name }},
        {% endfor %}
        count(*) FILTER (WHERE signed.is_reported) AS articles_reported
    FROM weixin.dim_account AS its
    INNER JOIN signed
        ON its.appid = signed.appid
    -- not in each part: a planner looks through parts without conditions only
    WHERE signed.is_followed
    GROUP BY its.appid, signed.calendar_date
    HAVING bool_or(coalesce(signed.is_row, TRUE))
),

gained AS (
    SELECT
        day.appid,
        day.account_name,
        day.calendar_date,
        (
            SELECT count(*)
            FROM weixin.dim_article AS article
            WHERE article.appid = day.appid AND article.publication_date = day.calendar_date
        ) AS articles_published,
        day.articles_reported + odd.articles_lacking AS articles_expected,
        day.articles_reported,
        {% for metric in dataset.wholes %}
        {{ gained(metric.name) | indent }} AS {{ metric.name }},
        {% endfor %}
        {{ is_complete() | indent }} AS is_complete
    FROM day
    INNER JOIN account
        ON day.appid = account.appid
    -- of pairs of which an article may lack a row: the newest answer has fewer rows than it can
    -- have, or lists an article less, or an article has rows of before it was moved
    CROSS JOIN
        LATERAL (
            SELECT
                {% for metric in dataset.wholes %}
                {{ correction(metric.name) | indent }} AS {{ metric.name }},
                {% endfor %}
                count(*) FILTER (
                    WHERE
                    fact.appid IS NULL
                    AND its.is_begun
                    AND coalesce(pair.settled, '') != 'final'
                    AND {{ is_listed("article", dataset) }}
                ) AS articles_lacking,
                coalesce(
                    bool_or(
                        (fact.appid IS NULL AND its.is_begun AND its.last_date > day.calendar_date)
                        OR (
                            before.stat_date IS DISTINCT FROM day.calendar_date - 1
                            AND (
                                before.appid IS NOT NULL
                                OR article.publication_date < day.calendar_date
                            )
                            AND its.last_date >= day.calendar_date
                        )
                    ), FALSE
                ) AS has_gap
            FROM weixin.coverage AS pair
            INNER JOIN {{ articles('pair') | indent }}
            CROSS JOIN
                LATERAL (
                    SELECT
                        max(newest.stat_date) AS last_date,
                        before.appid IS NOT NULL
                        OR article.publication_date <= day.calendar_date AS is_begun
                    FROM weixin.{{ dataset.fact }} AS newest
                    WHERE newest.appid = article.appid AND newest.msgid = article.msgid
                ) AS its
            WHERE
                pair.appid = day.appid
                AND pair.dataset = '{{ dataset.name }}'
                AND pair.day
                BETWEEN day.calendar_date - {{ dataset.window - 1 }}
                AND greatest(day.calendar_date, account.last_moved_date)
                AND pair.article_count > 0
                AND day.calendar_date <= account.reached_date
                AND (
                    least(pair.day + {{ dataset.window - 1 }}, account.reached_date)
                    IS DISTINCT FROM pair.through_date
                    OR pair.article_count * (pair.through_date - pair.day + 1)
                    IS DISTINCT FROM pair.row_count
                    OR pair.day = any(account.odd_dates)
                )
        ) AS odd
)

SELECT
    day.appid,
    day.account_name,
    day.calendar_date,
    day.articles_published,
    day.articles_expected,
    day.articles_reported,
    {% for it in dataset.common %}
    {{ "day." ~ it.metric.name if it.metric else "NULL::numeric" }} AS {{ it.name }}_increment,
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    day.{{ metric.name }} AS {{ metric.name }}_increment,
    {% endfor %}
    day.is_complete
FROM gained AS day
