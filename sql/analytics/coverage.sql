-- One row per dataset, account and publication or statistics day: what we have of it and, beside
-- that, how the last attempt ended. From a window before the first daily run (without one, from the
-- first day ever asked for) to yesterday, or for an account no longer collected to the last day
-- asked for; and each earlier day that was asked for
-- 中文：每个接口、每个公众号、每个发布日（或统计日）一行：已有什么，最近一次请求结果如何
-- key: dataset, appid, day
-- joins: appid to account; day to calendar
{% from "analytics/macros.jinja" import is_listed %}
{% from "weixin/macros.jinja" import beijing, heard_at, is_lost, is_retired, is_silent, state %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.coverage (
    -- Which endpoint
    -- 中文：接口
    dataset,
    {{ the.appid }},
    {{ the.account_name }},
    -- The day asked for (Beijing): a publication day or, where the dataset has these, a statistics
    -- day
    -- 中文：所请求的日期（北京时间）：发布日，或按统计日请求的接口的统计日
    day,
    -- What we have, the first that holds. final: its figures have stopped changing, and two answers
    -- agree; given_up: its answer can't be read; lost: never ready, and out of the reach of daily
    -- runs; silent: its window is over and its newest answer says nothing, until WeChat lists an
    -- article; unconfirmed: its window is over, and no second answer agrees yet; in: ready by the
    -- morning that is due (today's from noon on, else yesterday's); late: not; open: due later
    -- 中文：状态：final 已定稿，given_up 无法解析，lost 已错过，silent 静候，unconfirmed 待核实，in 已到位，late 迟到，open 待取
    state,
    -- How the last attempt ended, whatever we have: ok, not_ready (WeChat has not worked the day
    -- out yet) or failed; NULL without one
    -- 中文：最近一次请求的结果：ok 成功，not_ready 未就绪，failed 失败
    last_attempt,
    -- Why it was not ok: the kind of trouble, as quota or offline; NULL if it was
    -- 中文：未成功的原因类别
    error_kind,
    -- WeChat's errcode of the last attempt, if it gave one
    -- 中文：微信错误码
    error_code,
    -- What happened in the last attempt, with WeChat's words, and what to do; NULL if it was ok
    -- 中文：原因与处理办法
    reason,
    -- The morning whose daily run asks for it again; NULL when none does: it is settled, lost or
    -- silent, or its endpoint is retired, or its account not collected
    -- 中文：下次请求的日期（当天的每日运行）；不再请求时为 NULL
    next_date,
    -- The first morning on which it can be final; NULL when daily runs do not ask for it
    -- 中文：最早可定稿的日期
    final_date,
    -- When the last attempt was answered or abandoned; NULL without one
    -- 中文：最近一次请求时间
    attempted_at,
    -- Articles that the newest ready answer lists and that lack a row of a day which WeChat must
    -- have computed by then; NULL in datasets of statistics days
    -- 中文：缺少数据的文章数
    -- unit: articles, level
    articles_lacking,
    -- Last stat_date that every article of the newest answer reaches
    -- 中文：全部文章都有数据的最后统计日
    through_date,
    -- When the newest loaded answer was fetched; NULL when there never was one
    -- 中文：最新数据获取时间
    fetched_at,
    -- When the newest answer was fetched that held everything WeChat must have computed by then:
    -- rows up to the day before (Beijing)
    -- 中文：最新完整数据获取时间
    ready_at
) AS
WITH dataset (name, days, first_day, has_articles) AS (
    VALUES
    {% for dataset in every_dataset %}
    ('{{ dataset.name }}', {{ dataset.window }}, date '{{ dataset.first_day }}', {{
        "TRUE" if dataset.describes_articles else "FALSE"
    }}){{ "," if not loop.last }}
    {% endfor %}
),

begun AS (
    SELECT
        account.appid,
        account.name AS account_name,
        dataset.name AS dataset,
        dataset.days,
        dataset.first_day,
        dataset.has_articles,
        daily.since_date,
        daily.catch_up_days,
        own.first_date,
        CASE
            WHEN account.is_active THEN greatest(asked.last_date, {{ beijing("now()") }} - 1)
            ELSE asked.last_date
        END AS last_date,
        {{ heard_at("dataset.name", "account.appid") }} AS heard_at,
        account.is_active
        AND daily.since_date IS NOT NULL
        AND NOT {{ is_retired("dataset.name", "account.appid") }} AS is_asked
    FROM weixin.dim_account AS account
    CROSS JOIN dataset
    LEFT JOIN weixin.collected_since AS daily
        ON dataset.name = daily.dataset AND account.appid = daily.appid
    CROSS JOIN
        LATERAL (
            SELECT
                min(pair.day) AS first_date,
                max(pair.day) AS last_date
            FROM weixin.coverage AS pair
            WHERE pair.dataset = dataset.name AND pair.appid = account.appid
        ) AS asked
    CROSS JOIN
        LATERAL (
            SELECT
                greatest(dataset.first_day, coalesce(daily.since_date, asked.first_date))
                    AS first_date
        ) AS own
    WHERE daily.appid IS NOT NULL OR asked.first_date IS NOT NULL
)

SELECT
    begun.dataset,
    begun.appid,
    begun.account_name,
    listed.day,
    {{
        state("pair", "listed.day", "begun.days", "begun.first_day", "begun", "begun.heard_at", "now()")
        | indent
    }} AS state,
    CASE
        WHEN pair.appid IS NULL THEN NULL
        WHEN pair.error_kind IS NULL THEN 'ok'
        WHEN pair.error_kind = 'not_ready' THEN 'not_ready'
        ELSE 'failed'
    END AS last_attempt,
    pair.error_kind,
    pair.error_code,
    pair.error || coalesce('; ' || pair.cure, '') AS reason,
    asked.next_date,
    CASE
        WHEN asked.next_date IS NULL THEN NULL
        WHEN NOT begun.has_articles THEN greatest(asked.next_date, listed.day + begun.days)
        WHEN
            pair.list_sha256 IS NOT NULL
            AND {{ beijing("pair.ready_at") }} >= listed.day + begun.days - 1
            AND {{ beijing("pair.ready_at") }} < asked.next_date
            THEN greatest(asked.next_date, listed.day + begun.days)
        ELSE greatest(asked.next_date, listed.day + begun.days - 1) + 1
    END AS final_date,
    pair.attempted_at,
    CASE begun.dataset
        {% for dataset in datasets %}
        WHEN '{{ dataset.name }}'
            THEN (
                SELECT count(*)
                FROM weixin.dim_article AS article
                WHERE
                    article.appid = begun.appid
                    AND article.publication_date = listed.day
                    AND {{ is_listed("article", dataset) }}
                    AND (
                        SELECT count(*)
                        FROM weixin.{{ dataset.fact }} AS fact
                        WHERE
                            fact.appid = article.appid
                            AND fact.msgid = article.msgid
                            AND fact.stat_date BETWEEN listed.day AND computed.last_date
                    ) <= computed.last_date - listed.day
            )
        {% endfor %}
    END AS articles_lacking,
    pair.through_date,
    pair.fetched_at,
    pair.ready_at
FROM begun
CROSS JOIN
    LATERAL (
        SELECT calendar.calendar_date AS day
        FROM analytics.calendar
        WHERE calendar.calendar_date BETWEEN begun.first_date AND begun.last_date
        UNION ALL
        SELECT earlier.day
        FROM weixin.coverage AS earlier
        WHERE
            earlier.dataset = begun.dataset
            AND earlier.appid = begun.appid
            AND earlier.day < begun.first_date
    ) AS listed
LEFT JOIN weixin.coverage AS pair
    ON
        begun.dataset = pair.dataset
        AND begun.appid = pair.appid
        AND listed.day = pair.day
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN pair.ready_at IS NOT NULL
                    THEN least({{ beijing("pair.ready_at") }}, listed.day + begun.days) - 1
            END AS last_date
    ) AS computed
CROSS JOIN
    LATERAL (
        SELECT
            greatest(
                listed.day + 1,
                {{ beijing("now()") }} + CASE
                    -- a run asks until noon, and no more for what it was answered or refused
                    WHEN {{ beijing("now()") }} = {{ beijing("(now() - interval '12 hours')") }}
                        THEN 1
                    WHEN pair.error_kind = 'not_ready' THEN 0
                    WHEN {{ beijing("pair.attempted_at") }} = {{ beijing("now()") }} THEN 1
                    ELSE 0
                END
            ) AS day
    ) AS morning
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN NOT begun.is_asked OR pair.settled IS NOT NULL THEN NULL
                WHEN {{ is_lost(
                    "pair", "listed.day", "begun.days", "begun.first_day", "begun", "morning.day"
                ) }} THEN NULL
                WHEN {{ is_silent(
                    "pair", "listed.day", "begun.days", "begun.heard_at", "morning.day"
                ) }} THEN NULL
                ELSE morning.day
            END AS next_date
    ) AS asked
