-- One row per dataset, account and publication or statistics day: what we have, and what is
-- missing. From a window before the first daily run (without one, from the first day ever asked
-- for) to yesterday, or for an account no longer collected to the last day asked for; and each
-- earlier day that was asked for
-- 中文：每个接口、每个公众号、每个发布日（或统计日）一行：已有什么、缺什么
-- key: dataset, appid, publication_date
-- joins: appid to account; publication_date to calendar
{% from "analytics/macros.jinja" import is_listed %}
{% from "weixin/macros.jinja" import is_retired %}
{% import "analytics/columns.jinja" as the %}
{#- The day in Beijing of the newest answer that lists an article of the pair's account. -#}
{% macro listed_date(pair) -%}
(
    SELECT max(newest.last_seen_at AT TIME ZONE 'Asia/Shanghai')::date
    FROM weixin.article_sighting AS listed
    INNER JOIN weixin.raw_response AS newest
        ON listed.raw_response_id = newest.raw_response_id
    WHERE listed.dataset = {{ pair }}.dataset AND listed.appid = {{ pair }}.appid
)
{%- endmacro %}
CREATE VIEW analytics.coverage (
    -- Which endpoint
    -- 中文：接口
    dataset,
    {{ the.appid }},
    {{ the.account_name }},
    -- The day asked for (Beijing): a publication day or, where the dataset has these, a statistics
    -- day
    -- 中文：所请求的日期（北京时间）：发布日，或按统计日请求的接口的统计日
    publication_date,
    -- loaded; empty (an answer without rows: nothing was published or, on a statistics day,
    -- counted); incomplete (loaded or empty, but a part of an answer was rejected that no newer
    -- answer gave, or an article that WeChat's newest answer lists lacks a row of a day that was
    -- computed by then); unconfirmed (the window is over, and no answer of another day lists the
    -- same articles: the day may be short); silent (empty, on a day on which WeChat listed no
    -- article of the account at all); not_ready or failed (how the last attempt ended: earlier data
    -- stay, see fetched_at); missing (never asked for); retired (not asked for, or refused, as
    -- WeChat has taken the endpoint offline for the account: errcode 47009 for a day after the
    -- newest that was answered, on a later day than that answer)
    -- 中文：状态
    state,
    -- Whether the day is not asked for again: the totals of a publication day have stopped growing,
    -- and two days' answers list the same articles; of a statistics day a ready answer came on the
    -- last morning on which it is asked for, or later. An article may be final before, see
    -- analytics.article
    -- 中文：是否已定稿，不再请求
    is_final,
    -- Last stat_date that every article of the newest answer reaches
    -- 中文：全部文章都有数据的最后统计日
    through_date,
    -- When the newest loaded answer was fetched; NULL when there never was one
    -- 中文：最新数据获取时间
    fetched_at,
    -- When the newest answer was fetched that held everything WeChat must have computed by then:
    -- rows up to the day before (Beijing)
    -- 中文：最新完整数据获取时间
    ready_at,
    -- Why the state is what it is, and what to do; NULL where there is nothing to say
    -- 中文：原因与处理办法
    reason,
    -- Days before the unbroken part of these rows that WeChat can be asked for and that were not
    -- loaded
    -- 中文：此前尚未入库的天数
    -- unit: days, level
    days_not_loaded_before
) AS
WITH dataset (name, days, first_day, item_prefix) AS (
    VALUES
    {% for dataset in every_dataset %}
    (
        '{{ dataset.name }}',
        {{ dataset.window }},
        date '{{ dataset.first_day }}',
        '{{ dataset.item_prefix }}'
    ){{ "," if not loop.last }}
    {% endfor %}
),

begun AS (
    SELECT
        account.appid,
        account.name AS account_name,
        account.is_active,
        dataset.name AS dataset,
        dataset.days,
        dataset.first_day,
        dataset.item_prefix,
        own.first_date,
        asked.last_date,
        own.first_date - dataset.first_day - earlier.days_loaded AS days_not_loaded_before,
        refused.is_retired
    FROM weixin.dim_account AS account
    CROSS JOIN dataset
    CROSS JOIN (SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date - 1 AS yesterday) AS clock
    LEFT JOIN weixin.first_daily_run AS daily
        ON dataset.name = daily.dataset AND account.appid = daily.appid
    CROSS JOIN
        LATERAL (
            SELECT
                min(publication_date) AS first_date,
                greatest(
                    -- in a CASE: no last day is looked up where there is no first one
                    CASE WHEN min(publication_date) IS NOT NULL THEN max(publication_date) END,
                    CASE WHEN account.is_active THEN clock.yesterday END
                ) AS last_date
            FROM weixin.coverage
            WHERE coverage.dataset = dataset.name AND coverage.appid = account.appid
        ) AS asked
    CROSS JOIN
        LATERAL (
            SELECT
                greatest(
                    dataset.first_day,
                    coalesce(daily.first_daily_date - dataset.days, asked.first_date)
                ) AS first_date
        ) AS own
    CROSS JOIN
        LATERAL (
            SELECT count(*)::integer AS days_loaded
            FROM weixin.coverage
            WHERE
                coverage.dataset = dataset.name
                AND coverage.appid = account.appid
                AND coverage.publication_date < own.first_date
                AND coverage.data_state IS NOT NULL
        ) AS earlier
    CROSS JOIN
        LATERAL {{ is_retired("dataset.name", "account.appid") }} AS refused
    WHERE daily.appid IS NOT NULL OR asked.first_date IS NOT NULL
),

pair AS (
    SELECT
        begun.dataset,
        begun.appid,
        begun.account_name,
        day.publication_date,
        coverage.data_state,
        coverage.is_provisional,
        coverage.is_resting,
        coalesce(coverage.is_final, FALSE) AS is_final,
        coverage.through_date,
        coverage.fetched_at,
        coverage.ready_at,
        coverage.error || coalesce('; ' || coverage.cure, '') AS error,
        begun.days_not_loaded_before,
        begun.item_prefix,
        begun.is_active,
        least(
            (coverage.ready_at AT TIME ZONE 'Asia/Shanghai')::date,
            day.publication_date + begun.days
        ) - 1 AS computed_date,
        CASE
            WHEN
                begun.is_retired
                AND (coverage.appid IS NULL OR coverage.error_code = 47009)
                THEN 'retired'
            WHEN coverage.attempt_state IN ('not_ready', 'failed') THEN coverage.attempt_state
            WHEN coverage.data_state IS NULL THEN 'missing'
            WHEN coverage.ready_at IS NULL THEN 'not_ready'
            WHEN
                coverage.is_provisional
                AND coverage.article_count = 0
                AND coalesce(
                    (coverage.ready_at AT TIME ZONE 'Asia/Shanghai')::date
                    > {{ listed_date("coverage") }},
                    TRUE
                )
                THEN 'silent'
            WHEN
                coverage.is_provisional
                AND (coverage.ready_at AT TIME ZONE 'Asia/Shanghai')::date
                >= day.publication_date + begun.days
                THEN 'unconfirmed'
            ELSE coverage.data_state
        END AS state
    FROM begun
    CROSS JOIN
        LATERAL (
            SELECT calendar.calendar_date AS publication_date
            FROM analytics.calendar
            WHERE calendar.calendar_date BETWEEN begun.first_date AND begun.last_date
            UNION ALL
            SELECT earlier.publication_date
            FROM weixin.coverage AS earlier
            WHERE
                earlier.dataset = begun.dataset
                AND earlier.appid = begun.appid
                AND earlier.publication_date < begun.first_date
        ) AS day
    LEFT JOIN weixin.coverage
        ON
            begun.dataset = coverage.dataset
            AND begun.appid = coverage.appid
            AND day.publication_date = coverage.publication_date
)

SELECT
    pair.dataset,
    pair.appid,
    pair.account_name,
    pair.publication_date,
    CASE
        WHEN lacking.article_count > 0 OR rejected.part_count > 0 THEN 'incomplete'
        ELSE pair.state
    END AS state,
    pair.is_final,
    pair.through_date,
    pair.fetched_at,
    pair.ready_at,
    CASE
        WHEN rejected.part_count > 0
            THEN format(
                    '%s rejected part(s), first %s; a newer answer that '
                    || 'fits heals it: %s with begin_date and end_date %s%s; or mend the parser, '
                    || 'then weixin-etl replay %s --rejected --apply',
                    rejected.part_count,
                    rejected.first_part,
                    CASE
                        WHEN pair.is_final THEN 'the day is final, so start a run'
                        ELSE 'a daily run asks again, or start a run'
                    END,
                    to_char(pair.publication_date, 'YYYY-MM-DD'),
                    CASE WHEN pair.is_final THEN ' and refetch' ELSE '' END,
                    pair.dataset
                )
        WHEN lacking.article_count > 0
            THEN format(
                    '%s of %s articles lack a row that WeChat must have computed (%s to %s), the '
                    || 'first is %s; %s with begin_date and end_date %s%s',
                    lacking.article_count,
                    (
                        SELECT count(*)
                        FROM weixin.dim_article AS article
                        WHERE
                            article.appid = pair.appid
                            AND article.publication_date = pair.publication_date
                            AND {{ is_listed("pair", "article") | indent(28) }}
                    ),
                    to_char(pair.publication_date, 'YYYY-MM-DD'),
                    to_char(pair.computed_date, 'YYYY-MM-DD'),
                    lacking.first_msgid,
                    CASE
                        WHEN pair.is_final THEN 'the day is final: to ask again, start a run'
                        ELSE 'a daily run asks again, or start a run'
                    END,
                    to_char(pair.publication_date, 'YYYY-MM-DD'),
                    CASE WHEN pair.is_final THEN ' and refetch' ELSE '' END
                )
        WHEN pair.state = 'not_ready' AND pair.error IS NULL
            THEN 'imported, from an answer of before its figures were computed: a daily run asks '
                || 'again within its reach, else start a run with begin_date and end_date '
                || to_char(pair.publication_date, 'YYYY-MM-DD')
        WHEN pair.state = 'retired' AND pair.error IS NULL
            THEN 'not asked for: WeChat has taken the endpoint offline (errcode 47009)'
        WHEN pair.state = 'empty' AND pair.is_provisional
            THEN 'provisional: WeChat may not have listed the articles yet; a daily run asks again'
        WHEN pair.state = 'unconfirmed'
            THEN 'the answer of no other day has confirmed it yet: ' || CASE
                    WHEN pair.is_active THEN 'the next daily run asks again'
                    ELSE 'no run asks again, as no list of accounts has the account'
                END
        WHEN pair.state = 'silent'
            THEN coalesce(
                    'silent since ' || to_char({{ listed_date("pair") }}, 'YYYY-MM-DD')
                    || ', when WeChat last listed an article of the account',
                    'WeChat has never listed an article of the account'
                ) || CASE
                    WHEN pair.is_resting THEN ': it is asked for again once WeChat lists one'
                    ELSE ': a daily run asks again'
                END
        ELSE pair.error
    END AS reason,
    pair.days_not_loaded_before
FROM pair
-- the articles of a loaded day that have fewer rows than days were computed by then, and that its
-- newest ready answer lists
CROSS JOIN
    LATERAL (
        SELECT
            count(*) AS article_count,
            min(article.msgid) AS first_msgid
        FROM weixin.dim_article AS article
        {% for dataset in datasets %}
        LEFT JOIN weixin.latest_{{ dataset.name }}
            ON
                article.appid = latest_{{ dataset.name }}.appid
                AND article.msgid = latest_{{ dataset.name }}.msgid
                AND pair.dataset = '{{ dataset.name }}'
        {% endfor %}
        WHERE
            pair.state = 'loaded'
            AND pair.computed_date >= pair.publication_date
            -- the rollup tells of most open days that none does
            AND (
                pair.is_final
                {% for dataset in datasets %}
                OR pair.dataset = '{{ dataset.name }}' AND EXISTS (
                    SELECT FROM weixin.account_day_{{ dataset.name }} AS short
                    WHERE
                        short.appid = pair.appid
                        AND short.calendar_date BETWEEN pair.publication_date AND pair.computed_date
                        AND short.articles_lacking > 0
                )
                {% endfor %}
            )
            AND article.appid = pair.appid
            AND article.publication_date = pair.publication_date
            AND CASE
                {% for dataset in datasets %}
                WHEN latest_{{ dataset.name }}.complete_through_date >= pair.computed_date
                    THEN FALSE
                {% endfor %}
                ELSE {{ is_listed("pair", "article") | indent(16) }}
            END
    ) AS lacking
-- the parts of a day's answers that do not fit and that no newer answer gave
CROSS JOIN
    LATERAL (
        SELECT
            count(*) AS part_count,
            min(
                concat(
                    pair.item_prefix || part.msgid
                    || to_char(part.stat_date, '" of "YYYY-MM-DD') || ': ',
                    part.reason
                )
            ) AS first_part
        FROM (
            SELECT DISTINCT
                rejected_row.msgid,
                rejected_row.stat_date,
                rejected_row.metric,
                rejected_row.reason
            FROM weixin.rejected_row
            WHERE
                rejected_row.resolved_at IS NULL
                AND rejected_row.dataset = pair.dataset
                AND rejected_row.appid = pair.appid
                AND rejected_row.publication_date = pair.publication_date
        ) AS part
        WHERE pair.state IN ('loaded', 'empty', 'unconfirmed', 'silent')
    ) AS rejected
