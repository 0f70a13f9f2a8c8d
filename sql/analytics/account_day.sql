-- One row per account and calendar day of {{ dataset.name }}, from the first publication day asked
-- for to yesterday (Beijing), or for an account no longer collected to the last day asked for:
-- what all its articles gained that day. An increment that spans a gap counts on its last day.
-- NULL means unknown, 0 that the day is known and nothing came
-- 中文：每个公众号、每一天一行：当日全部文章的新增值
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import increment %}
{% from "weixin/macros.jinja" import is_whole %}
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
            ON pair.appid = fact.appid AND pair.publication_date = fact.stat_date
        WHERE
            pair.dataset = '{{ name }}'
            AND pair.appid = day.appid
            AND pair.publication_date = day.calendar_date
            AND {{ is_whole("pair") }}
        GROUP BY pair.appid
    )
{%- endmacro %}
{#- The first day asked for of an account, and its last day: yesterday while it is collected. #}
{% macro asked() -%}
CROSS JOIN
    LATERAL (
        SELECT
            min(pair.publication_date) AS first_date,
            CASE
                WHEN account.is_active THEN (now() AT TIME ZONE 'Asia/Shanghai')::date - 1
                ELSE max(pair.publication_date)
            END AS last_date
        FROM weixin.coverage AS pair
        WHERE pair.dataset = '{{ dataset.name }}' AND pair.appid = account.appid
    ) AS asked
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
    -- Whether everything that came on the day is known, by the totals alone: the columns below are
    -- NULL or known, whatever it says. Each of the {{ dataset.window }}
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
    day.most_days_spanned,
    day.is_falling AS has_fall,
    {% for metric in dataset.totals %}
    CASE
        WHEN day.row_count = 0 AND day.is_complete THEN 0
        ELSE day.{{ metric.name }}_increment
    END AS {{ metric.name }}_increment,
    {% endfor %}
    {% for rate in dataset.daily_rates %}
    day.daily_{{ rate.name }},
    {% endfor %}
    day.is_complete,
    {{ of_the_day("read_user", "article_read") }} AS reading_user,
    {{ of_the_day("read_user", "account_summary") }} AS summary_read_user,
    {{ of_the_day("new_user", "follower_change", true) }} AS new_user,
    {{ of_the_day("cancel_user", "follower_change", true) }} AS cancel_user,
    {{ of_the_day("cumulate_user", "follower_total") }} AS cumulate_user
FROM (
    SELECT
        account.name AS account_name,
        kept.appid,
        kept.calendar_date,
        kept.articles_lacking,
        kept.row_count,
        kept.articles_reported,
        kept.most_days_spanned,
        kept.is_falling,
        {% for metric in dataset.totals %}
        kept.{{ metric.name }}_increment,
        {% endfor %}
        {% for rate in dataset.daily_rates %}
        kept.daily_{{ rate.name }},
        {% endfor %}
        kept.is_covered AND NOT kept.is_spanned AND NOT kept.is_without_headline AS is_complete
    FROM weixin.dim_account AS account
    {{ asked() | indent }}
    INNER JOIN weixin.account_day_{{ dataset.name }} AS kept
        ON
            account.appid = kept.appid
            AND (
                kept.row_count > 0
                OR kept.is_spanned
                OR asked.last_date >= kept.calendar_date
            )
    UNION ALL
    SELECT
        account.name,
        account.appid,
        unknown.calendar_date,
        0,
        0,
        0,
        NULL,
        FALSE,
        {% for metric in dataset.totals %}
        NULL,
        {% endfor %}
        {% for rate in dataset.daily_rates %}
        NULL,
        {% endfor %}
        FALSE
    FROM weixin.dim_account AS account
    LEFT JOIN weixin.first_daily_run AS daily
        ON account.appid = daily.appid AND daily.dataset = '{{ dataset.name }}'
    {{ asked() | indent }}
    -- of the days from the first to the last that the rollup has, it has each
    CROSS JOIN
        LATERAL (
            SELECT
                min(its.calendar_date) AS first_date,
                max(its.calendar_date) AS last_date
            FROM weixin.account_day_{{ dataset.name }} AS its
            WHERE its.appid = account.appid
        ) AS kept
    CROSS JOIN
        LATERAL (
            SELECT calendar.calendar_date
            FROM analytics.calendar
            WHERE
                calendar.calendar_date
                BETWEEN least(
                    asked.first_date,
                    CASE
                        WHEN daily.first_daily_date IS NOT NULL
                            THEN greatest(
                                    daily.first_daily_date - {{ dataset.window }},
                                    date '{{ dataset.first_day }}'
                                )
                    END
                )
                AND least(asked.last_date, kept.first_date - 1)
            UNION ALL
            SELECT calendar.calendar_date
            FROM analytics.calendar
            WHERE
                calendar.calendar_date BETWEEN kept.last_date + 1 AND asked.last_date
        ) AS unknown
) AS day
