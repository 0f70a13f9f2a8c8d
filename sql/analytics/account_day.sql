-- One row per account and calendar day of {{ dataset.name }}, from the first publication day asked
-- for to yesterday (Beijing), or for an account no longer collected to the last day asked for:
-- what all its articles gained that day. An increment that spans a gap counts on its last day.
-- NULL means unknown, 0 that the day is known and nothing came
-- 中文：每个公众号、每一天一行：当日全部文章的新增值
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import increment %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.account_day{{ dataset.suffix }} (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day, as known from either endpoint
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
    -- Whether a total of an article fell, so that increments and rates contain a negative part
    -- 中文：是否有累计值下降
    has_fall,
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
    -- Whether everything that came on the day is known. Each of the {{ dataset.window }}
    -- publication days whose window contains the day has a ready answer of a later day that may be
    -- relied on (not an empty one that came too early or on a day on which WeChat listed no article
    -- of the account and, once that window is over, not one that no other day's answer has
    -- confirmed); every expected article has a row, and its rows of the day and of the day before
    -- give
    -- {{ dataset.headline | join(" and ") }};
    -- no increment spans a gap that covers the day or ends on it; and no value of the day or of the
    -- day before was rejected, nor an article or a row that may belong to any day of the window,
    -- unless a newer answer gave it (analytics.coverage names these). Also false near the start of
    -- what was loaded. Any other figure that a row left out counts on the day on which it came
    -- 中文：当日数据是否完整
    is_complete
) AS
SELECT
    account.appid,
    account.name AS account_name,
    day.calendar_date,
    (
        SELECT count(*)
        FROM weixin.dim_article AS article
        WHERE article.appid = account.appid AND article.publication_date = day.calendar_date
    ) AS articles_published,
    day.articles_reported + pairs.articles_lacking AS articles_expected,
    day.articles_reported,
    day.days_spanned AS most_days_spanned,
    day.has_fall,
    {% for metric in dataset.totals %}
    CASE
        WHEN day.row_count = 0 AND pairs.is_complete THEN 0
        ELSE day.{{ metric.name }}_increment
    END AS {{ metric.name }}_increment,
    {% endfor %}
    {% for rate in dataset.daily_rates %}
    day.{{ rate.name }} AS daily_{{ rate.name }},
    {% endfor %}
    pairs.is_complete
FROM weixin.dim_account AS account
CROSS JOIN
    LATERAL (
        SELECT
            min(first_date) AS first_date,
            greatest(
                max(last_date),
                CASE
                    WHEN account.is_active THEN (now() AT TIME ZONE 'Asia/Shanghai')::date - 1
                END
            ) AS last_date
        FROM (
            SELECT
                publication_date AS first_date,
                publication_date AS last_date
            FROM weixin.coverage
            WHERE dataset = '{{ dataset.name }}' AND coverage.appid = account.appid
            UNION ALL
            SELECT
                greatest(first_daily_date - {{ dataset.window }}, date '{{ dataset.first_day }}'),
                NULL
            FROM weixin.first_daily_run
            WHERE dataset = '{{ dataset.name }}' AND first_daily_run.appid = account.appid
        ) AS asked
    ) AS known
-- step 0: an increment on its own day; above: a day it covers as well, whose row is missing; -1:
-- the day after a row without its headline figures, whose increments cover both; NULL: a day of the
-- calendar
CROSS JOIN
    LATERAL (
        SELECT
            {% for metric in dataset.totals %}
            sum({{ metric.name }}_increment) FILTER (WHERE step = 0) AS {{ metric.name }}_increment,
            {% endfor %}
            {% for rate in dataset.daily_rates %}
            sum({{ rate.numerator }}_increment) FILTER (
                WHERE step = 0 AND {{ rate.denominator }}_increment IS NOT NULL
            ) / nullif(
                sum({{ rate.denominator }}_increment) FILTER (
                    WHERE step = 0 AND {{ rate.numerator }}_increment IS NOT NULL
                ), 0
            ) AS {{ rate.name }},
            {% endfor %}
            calendar_date,
            count(*) FILTER (WHERE step = 0) AS row_count,
            count(*) FILTER (WHERE step = 0 AND is_in_window) AS articles_reported,
            max(days_spanned) FILTER (WHERE step = 0) AS days_spanned,
            coalesce(bool_or(has_fall) FILTER (WHERE step = 0), FALSE) AS has_fall,
            coalesce(bool_or(days_spanned > 1 OR lacks_headline), FALSE) AS has_gap
        FROM (
            SELECT
                {% for metric in dataset.totals %}
                increment.{{ metric.name }}_increment,
                {% endfor %}
                increment.stat_date - covered.step AS calendar_date,
                covered.step,
                increment.day_number BETWEEN 1 AND {{ dataset.window }} AS is_in_window,
                increment.days_spanned,
                increment.has_fall,
                increment.lacks_headline
            FROM (
                SELECT
                    day.*,
                    num_nulls({{ dataset.headline | join(", ") }}) > 0 AS lacks_headline
                FROM analytics.article_day{{ dataset.suffix }} AS day
            ) AS increment
            CROSS JOIN
                LATERAL (
                    SELECT 0 AS step
                    UNION ALL
                    SELECT missing.step::integer
                    FROM
                        unnest(array_fill(0, ARRAY[greatest(increment.days_spanned - 1, 0)]))
                        WITH ORDINALITY AS missing (nothing, step)
                    WHERE increment.days_spanned > 1
                    UNION ALL
                    SELECT -1
                    WHERE
                        increment.lacks_headline
                        AND increment.day_number < {{ dataset.window }}
                        AND increment.stat_date < known.last_date
                ) AS covered
            WHERE increment.appid = account.appid
            UNION ALL
            SELECT
                {% for metric in dataset.totals %}
                NULL,
                {% endfor %}
                calendar.calendar_date,
                NULL,
                NULL,
                NULL,
                NULL,
                NULL
            FROM analytics.calendar
            WHERE calendar.calendar_date BETWEEN known.first_date AND known.last_date
        ) AS figure
        GROUP BY calendar_date
    ) AS day
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(sum(pair.articles_lacking), 0)::bigint AS articles_lacking,
            NOT day.has_gap
            AND NOT EXISTS (
                SELECT FROM weixin.rejected_row AS rejected
                WHERE
                    rejected.resolved_at IS NULL
                    AND rejected.dataset = '{{ dataset.name }}'
                    AND rejected.appid = account.appid
                    AND rejected.publication_date
                    BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
                    AND (
                        rejected.stat_date IN (day.calendar_date, day.calendar_date - 1)
                        OR rejected.metric IS NULL AND rejected.stat_date BETWEEN
                        rejected.publication_date
                        AND rejected.publication_date + {{ dataset.window - 1 }} IS NOT TRUE
                    )
            )
            AND coalesce(sum(pair.articles_lacking), 0) = 0
            AND {{ dataset.window }} = count(*) FILTER (
                WHERE
                day.calendar_date < (pair.ready_at AT TIME ZONE 'Asia/Shanghai')::date
                AND NOT pair.is_provisional
            ) AS is_complete
        FROM (
            SELECT
                coverage.publication_date,
                coverage.ready_at,
                coverage.is_provisional,
                CASE
                    WHEN coverage.data_state = 'loaded' AND NOT coverage.is_final
                        THEN (
                            SELECT count(*)
                            FROM weixin.dim_article AS article
                            INNER JOIN weixin.article_sighting AS sighting
                                ON
                                    article.appid = sighting.appid
                                    AND article.msgid = sighting.msgid
                            INNER JOIN weixin.raw_response AS listing
                                ON sighting.raw_response_id = listing.raw_response_id
                            WHERE
                                article.appid = coverage.appid
                                AND article.publication_date = coverage.publication_date
                                AND sighting.dataset = '{{ dataset.name }}'
                                -- that one answer leaves an article out may be a lie
                                AND (listing.last_seen_at AT TIME ZONE 'Asia/Shanghai')::date
                                >= (coverage.ready_at AT TIME ZONE 'Asia/Shanghai')::date - 1
                                AND NOT EXISTS (
                                    SELECT FROM weixin.{{ dataset.fact }} AS fact
                                    WHERE
                                        fact.appid = article.appid
                                        AND fact.msgid = article.msgid
                                        AND fact.stat_date = day.calendar_date
                                )
                        )
                END AS articles_lacking
            FROM weixin.coverage
            WHERE
                coverage.dataset = '{{ dataset.name }}'
                AND coverage.appid = account.appid
                AND coverage.publication_date
                BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
        ) AS pair
    ) AS pairs
