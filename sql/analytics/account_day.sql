-- One row per account and calendar day of {{ dataset.name }}, from the first publication day asked
-- for to yesterday (Beijing), or for an account no longer collected to the last day asked for:
-- what all its articles gained that day. An increment that spans a gap counts on its last day.
-- NULL means unknown, 0 that the day is known and nothing came
-- 中文：每个公众号、每一天一行：当日全部文章的新增值
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import increment, last_known %}
{% from "weixin/macros.jinja" import beijing, is_whole %}
{#-
A figure of the day in another dataset: NULL unless its answer is ready and whole, and every row has
it; with `is_split`, also while the fact has parts of the day that the newest answer lacks.
-#}
{% macro of_the_day(metric, name, is_split=false) -%}
(
        SELECT
            CASE
                WHEN
                    count(fact.appid) = count(fact.{{ metric }})
                    {% if is_split %}
                    AND count(fact.appid) = max(pair.row_count)
                    {% endif %}
                    THEN coalesce(sum(fact.{{ metric }}), 0)
            END
        FROM weixin.coverage AS pair
        LEFT JOIN weixin.fact_{{ name }} AS fact
            ON pair.appid = fact.appid AND pair.day = fact.stat_date
        WHERE
            pair.dataset = '{{ name }}'
            AND pair.appid = account.appid
            AND pair.day = day.calendar_date
            AND {{ is_whole("pair") }}
        GROUP BY pair.appid
    )
{%- endmacro %}
{#- The form once for each figure, `$`: the totals, and both sides of the rates. -#}
{% macro each(form) -%}
{% for metric in dataset.totals %}
{{ form | replace("$", metric.name) }},
{% endfor %}
{% for rate in dataset.daily_rates %}
{{ form | replace("$", rate.name ~ "_numerator") }},
{{ form | replace("$", rate.name ~ "_denominator") }},
{% endfor %}
{%- endmacro %}
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
    -- Largest number of days since an article's previous row. Above 1, an article had no row the
    -- day before, and part of what counts here came then. Metrics that a row left out are ignored
    -- 中文：新增值所跨最多天数
    -- unit: days, level
    most_days_spanned,
    {% for metric in dataset.totals %}
    {{
        increment(
            metric,
            "gained on the day over all articles within their window of "
            ~ dataset.window ~ " days; NULL when unknown"
        )
    }}
    {{ metric.name }}_increment,
    {% endfor %}
    {% for rate in dataset.daily_rates %}
    -- Of the day's increments: share of {{ rate.meaning }}. Sums over sums, of the articles that
    -- have both {{ rate.numerator }} and {{ rate.denominator }}; NULL when the denominator is 0
    -- 中文：当日{{ rate.chinese_name }}
    -- unit: share, level
    daily_{{ rate.name }},
    {% endfor %}
    -- Whether everything that came on the day is known, by the totals alone: the columns below are
    -- NULL or known, whatever it says. Each of the {{ dataset.window }}
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
    is_complete,
    -- Readers of the day over all articles, at any age, each counted once per article and day; NULL
    -- when no answer of article_read for it was ready, or something in it was rejected or left out:
    -- see analytics.article_reading
    -- 中文：当日全部文章的阅读人数之和（不限文章发布多久）
    -- unit: people, level
    reading_user,
    -- People who read any article, each counted once, by WeChat's own summary of the day; NULL in
    -- the same way, of account_summary: see analytics.account_summary_day, also for what its day
    -- means. 0 also when a ready answer was empty: WeChat does not say whether nobody read any, or
    -- it gave no summary of the day
    -- 中文：账号阅读人数（微信汇总）
    -- unit: people, level
    summary_read_user,
    -- People who began to follow the account that day; NULL in the same way, of follower_change:
    -- see analytics.follower_day
    -- 中文：新增关注人数
    -- unit: people, additive
    new_user,
    -- People who stopped following it that day; NULL as new_user
    -- 中文：取消关注人数
    -- unit: people, additive
    cancel_user,
    -- People who follow it at the end of the day; NULL in the same way, of follower_total
    -- 中文：累计关注人数
    -- unit: people, level
    cumulate_user
) AS
-- What an account gained on a day is a signed sum: a row counts on its own day and, negated, on the
-- next one while its article is followed. On a day of which an article has no figure, the last one
-- known stands for it.
WITH account AS (
    SELECT
        its.appid,
        its.name AS account_name,
        least(
            asked.first_date,
            CASE
                WHEN daily.since_date IS NOT NULL
                    THEN greatest(daily.since_date, date '{{ dataset.first_day }}')
            END
        ) AS first_date,
        CASE
            WHEN its.is_active THEN {{ beijing("now()") }} - 1
            ELSE asked.last_date
        END AS last_date,
        asked.reached_date
    FROM weixin.dim_account AS its
    LEFT JOIN weixin.collected_since AS daily
        ON its.appid = daily.appid AND daily.dataset = '{{ dataset.name }}'
    CROSS JOIN
        LATERAL (
            SELECT
                min(pair.day) AS first_date,
                max(pair.day) AS last_date,
                -- no answer can have a row of a later day
                {{ beijing("max(pair.fetched_at)") }} - 1 AS reached_date
            FROM weixin.coverage AS pair
            WHERE pair.appid = its.appid AND pair.dataset = '{{ dataset.name }}'
        ) AS asked
)

SELECT
    account.appid,
    account.account_name,
    day.calendar_date,
    (
        SELECT count(*)
        FROM weixin.dim_article AS article
        WHERE article.appid = account.appid AND article.publication_date = day.calendar_date
    ) AS articles_published,
    day.articles_reported + day.articles_lacking AS articles_expected,
    day.articles_reported,
    day.most_days_spanned,
    {% for metric in dataset.totals %}
    CASE
        WHEN day.row_count = 0 AND day.is_complete THEN 0
        ELSE day.{{ metric.name }}
    END AS {{ metric.name }}_increment,
    {% endfor %}
    {% for rate in dataset.daily_rates %}
    day.{{ rate.name }}_numerator / nullif(day.{{ rate.name }}_denominator, 0)
        AS daily_{{ rate.name }},
    {% endfor %}
    day.is_complete,
    {{ of_the_day("read_user", "article_read") }} AS reading_user,
    {{ of_the_day("read_user", "account_summary") }} AS summary_read_user,
    {{ of_the_day("new_user", "follower_change", true) }} AS new_user,
    {{ of_the_day("cancel_user", "follower_change", true) }} AS cancel_user,
    {{ of_the_day("cumulate_user", "follower_total") }} AS cumulate_user
FROM account
CROSS JOIN
    LATERAL (
        WITH fact AS NOT MATERIALIZED (
            SELECT
                its.*,
                {% for rate in dataset.daily_rates %}
                CASE WHEN its.{{ rate.denominator }} IS NOT NULL THEN its.{{ rate.numerator }} END
                    AS {{ rate.name }}_numerator,
                CASE WHEN its.{{ rate.numerator }} IS NOT NULL THEN its.{{ rate.denominator }} END
                    AS {{ rate.name }}_denominator,
                {% endfor %}
                its.stat_date < least(
                    its.publication_date + {{ dataset.window - 1 }}, account.reached_date
                ) AS is_followed
            FROM weixin.{{ dataset.fact }} AS its
            WHERE
                its.appid = account.appid
                AND its.stat_date < its.publication_date + {{ dataset.window }}
        ),

        -- pairs of which an article may lack a row: the newest answer has fewer rows than it can
        -- have, or lists an article less, or an article has rows of before it was moved
        irregular AS MATERIALIZED (
            SELECT
                pair.day AS publication_date,
                pair.settled,
                least(pair.day + {{ dataset.window - 1 }}, account.reached_date) AS last_date
            FROM weixin.coverage AS pair
            WHERE
                pair.appid = account.appid
                AND pair.dataset = '{{ dataset.name }}'
                AND pair.article_count > 0
                AND (
                    least(pair.day + {{ dataset.window - 1 }}, account.reached_date)
                    IS DISTINCT FROM pair.through_date
                    OR pair.article_count * (pair.through_date - pair.day + 1)
                    IS DISTINCT FROM pair.row_count
                    OR pair.day IN (
                        SELECT moved.publication_date
                        FROM weixin.{{ dataset.fact }} AS moved
                        WHERE
                            moved.appid = account.appid
                            AND moved.stat_date < moved.publication_date
                    )
                    OR pair.day IN (
                        SELECT article.publication_date
                        FROM weixin.article_sighting AS sighting
                        INNER JOIN weixin.dim_article AS article
                            ON sighting.appid = article.appid AND sighting.msgid = article.msgid
                        WHERE
                            sighting.appid = account.appid
                            AND sighting.dataset = '{{ dataset.name }}'
                            AND sighting.unlisted_since IS NOT NULL
                    )
                )
        ),

        -- days on which an article has no row
        missing AS NOT MATERIALIZED (
            SELECT
                article.msgid,
                missed.stat_date,
                missed.stat_date < pair.last_date AS is_followed,
                coalesce(missed.stat_date < its.last_date, FALSE) AS is_gap,
                (
                    coalesce(pair.settled, '') != 'final'
                    AND sighting.appid IS NOT NULL
                    AND sighting.unlisted_since IS NULL
                ) AS is_expected
            FROM irregular AS pair
            INNER JOIN weixin.dim_article AS article
                ON article.appid = account.appid AND pair.publication_date = article.publication_date
            LEFT JOIN weixin.article_sighting AS sighting
                ON
                    article.appid = sighting.appid
                    AND article.msgid = sighting.msgid
                    AND sighting.dataset = '{{ dataset.name }}'
            CROSS JOIN
                LATERAL (
                    SELECT
                        min(known.stat_date) AS first_date,
                        max(known.stat_date) AS last_date
                    FROM weixin.{{ dataset.fact }} AS known
                    WHERE known.appid = article.appid AND known.msgid = article.msgid
                ) AS its
            CROSS JOIN
                LATERAL (
                    SELECT day::date AS stat_date
                    FROM generate_series(
                            least(its.first_date, pair.publication_date)::timestamp,
                            pair.last_date::timestamp,
                            '1 day'
                        ) AS day
                ) AS missed
            WHERE NOT EXISTS (
                    SELECT FROM weixin.{{ dataset.fact }} AS known
                    WHERE
                        known.appid = article.appid
                        AND known.msgid = article.msgid
                        AND known.stat_date = missed.stat_date
                )
        ),

        -- days on which a figure is not known, and the next ones
        hole AS NOT MATERIALIZED (
            SELECT
                missing.msgid,
                missing.stat_date,
                missing.stat_date + step.days AS calendar_date,
                step.sign,
                missing.is_gap,
                step.sign > 0 AND missing.is_expected AS is_lacking
            FROM (
                SELECT
                    missing.msgid,
                    missing.stat_date,
                    missing.is_followed,
                    missing.is_gap,
                    missing.is_expected
                FROM missing
                UNION ALL
                SELECT
                    fact.msgid,
                    fact.stat_date,
                    fact.is_followed,
                    FALSE,
                    FALSE
                FROM fact
                WHERE num_nulls({{ totals | join(", ") }}) > 0
            ) AS missing
            INNER JOIN (VALUES (0, 1), (1, -1)) AS step (days, sign)
                ON step.sign > 0 OR missing.is_followed
        ),

        said AS NOT MATERIALIZED (
            SELECT
                added.stat_date + step.days AS calendar_date,
                step.sign > 0 AS is_shown,
                CASE WHEN step.sign > 0 THEN added.row_count ELSE 0 END AS row_count,
                CASE WHEN step.sign > 0 THEN added.articles_reported ELSE 0 END
                    AS articles_reported,
                0 AS articles_lacking,
                0 AS pairs_known,
                0 AS parts_unknown,
                {{ each("step.sign * added.$ AS $") | indent(16) -}}
                CASE WHEN step.sign > 0 THEN 1 END AS most_days_spanned
            FROM (
                SELECT
                    fact.stat_date,
                    fact.is_followed,
                    count(*) AS row_count,
                    count(*) FILTER (WHERE fact.stat_date >= fact.publication_date)
                        AS articles_reported,
                    {{ each("sum(fact.$) AS $") | indent(20) -}}
                    max(fact.stat_date) AS max_date
                FROM fact
                GROUP BY fact.stat_date, fact.is_followed
            ) AS added
            INNER JOIN (VALUES (0, 1), (1, -1)) AS step (days, sign)
                ON step.sign > 0 OR added.is_followed
            UNION ALL
            SELECT
                hole.calendar_date,
                hole.is_gap,
                0,
                0,
                hole.is_lacking::integer,
                0,
                (
                    hole.is_gap
                    OR its.appid IS NOT NULL
                    AND num_nulls(
                        {% for name in dataset.headline %}
                        its.{{ name }}{{ "," if not loop.last }}
                        {% endfor %}
                    ) > 0
                )::integer,
                {{ each("CASE WHEN its.$ IS NULL THEN hole.sign * last.$ END") | indent(16) -}}
                CASE
                    WHEN hole.is_gap AND hole.sign < 0
                        THEN (
                            SELECT
                                hole.calendar_date
                                - coalesce(last.stat_date, article.publication_date - 1)
                            FROM fact AS article
                            WHERE
                                article.msgid = hole.msgid
                                AND article.stat_date = hole.calendar_date
                        )
                END
            FROM hole
            LEFT JOIN
                LATERAL (
                    SELECT fact.*
                    FROM fact
                    WHERE fact.msgid = hole.msgid AND fact.stat_date = hole.stat_date
                    OFFSET 0 -- noqa: AM09 # else all rows of the account are read
                ) AS its
                ON TRUE
            CROSS JOIN
                LATERAL (
                    SELECT
                        {{ each(last_known("$") ~ " AS $") | indent(24) -}}
                        max(known.stat_date) AS stat_date
                    FROM fact AS known
                    WHERE known.msgid = hole.msgid AND known.stat_date < hole.stat_date
                ) AS last
            UNION ALL
            SELECT
                calendar.calendar_date,
                TRUE,
                0,
                0,
                0,
                0,
                0,
                {{ each("NULL") | indent(16) -}}
                NULL
            FROM analytics.calendar
            WHERE calendar.calendar_date BETWEEN account.first_date AND account.last_date
            UNION ALL
            SELECT
                pair.day + step.days,
                FALSE,
                0,
                0,
                0,
                1,
                0,
                {{ each("NULL") | indent(16) -}}
                NULL
            FROM weixin.coverage AS pair
            CROSS JOIN generate_series(0, {{ dataset.window - 1 }}) AS step (days)
            WHERE
                pair.appid = account.appid
                AND pair.dataset = '{{ dataset.name }}'
                AND pair.list_sha256 IS NOT NULL
                AND {{ beijing("pair.ready_at") }} > pair.day + step.days
                AND (
                    {{ beijing("pair.ready_at") }} < pair.day + {{ dataset.window }}
                    OR pair.settled = 'final'
                )
            UNION ALL
            -- of a rejected part whose day is not known, any of its window may be
            SELECT
                part.day + step.days,
                FALSE,
                0,
                0,
                0,
                0,
                1,
                {{ each("NULL") | indent(16) -}}
                NULL
            FROM weixin.rejected_row AS part
            CROSS JOIN generate_series(0, {{ dataset.window - 1 }}) AS step (days)
            WHERE
                part.resolved_at IS NULL
                AND part.appid = account.appid
                AND part.dataset = '{{ dataset.name }}'
                AND coalesce(
                    part.stat_date < part.day
                    OR part.day + step.days - part.stat_date IN (0, 1),
                    TRUE
                )
        )

        SELECT
            said.calendar_date,
            sum(said.row_count) AS row_count,
            sum(said.articles_reported)::bigint AS articles_reported,
            sum(said.articles_lacking)::bigint AS articles_lacking,
            max(said.most_days_spanned) AS most_days_spanned,
            {{ each(
                "CASE WHEN count(said.$) FILTER (WHERE said.row_count > 0) > 0 THEN sum(said.$) END AS $"
            ) | indent(16) -}}
            sum(said.pairs_known) = {{ dataset.window }}
            AND sum(said.articles_lacking + said.parts_unknown) = 0 AS is_complete
        FROM said
        GROUP BY said.calendar_date
        HAVING bool_or(said.is_shown)
    ) AS day
