-- One row per account and calendar day, of all accounts: what all its articles gained that day, as
-- one series whichever endpoint an account has. A day is of getarticletotal
-- (analytics.account_day_7d) up to the last one of which every expected article has its row, then
-- of its successor (analytics.account_day_30d), as each counted. The two count by different rules:
-- where an account changes from one to the other, compare the columns that end in _comparable.
-- Figures that only one endpoint counts are in its own view
-- 中文：每个公众号、每一天一行：全部公众号的统一序列（getarticletotal 可用时取其数据，之后取替代接口）
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import increment %}
{% from "weixin/macros.jinja" import beijing %}
{% import "analytics/columns.jinja" as the %}
{% set old = datasets | selectattr("successor") | first %}
{% set new = datasets | selectattr("name", "equalto", old.successor) | first %}
{% set both = [] %}
{% for it in old.common if it.metric %}
{% set other = new.common | selectattr("name", "equalto", it.name) | first %}
{% if other.metric %}{% set _ = both.append(it) %}{% endif %}
{% endfor %}
{% macro of_its_endpoint(old_figure, new_figure, end="") -%}
CASE taken.endpoint
        WHEN '7d' THEN {{ old_figure ~ old.suffix }}
        ELSE {{ new_figure ~ new.suffix ~ end }}
    END
{%- endmacro %}
CREATE VIEW analytics.account_day (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day, as far as known from either endpoint
    -- 中文：当日发布文章数
    -- unit: articles, additive
    articles_published,
    -- Which endpoint the day's figures come from: 7d (getarticletotal) or 30d (its successor)
    -- 中文：数据来源接口：7d 为 getarticletotal，30d 为其替代接口
    endpoint,
    {% for it in both %}
    {{
        increment(
            it.metric,
            "gained on the day over all articles within the endpoint's window, as it counted; NULL "
            ~ "when unknown"
        )
    }}
    {{ it.name }}_increment,
    {% endfor %}
    {% for it in both %}
    -- {{ it.name }}_increment as getarticletotal counts, gained on the day: the same on its own
    -- days, else times what it counted of what its successor counted, over the account's days of
    -- which both are complete. An estimate; NULL without such days
    -- 中文：{{ it.chinese_name }}（新增，按 getarticletotal 口径折算）
    -- unit: {{ it.unit }}, additive
    {{ it.name }}_comparable,
    {% endfor %}
    -- Whether everything that came on the day is known from that endpoint: see is_complete of its
    -- own view
    -- 中文：当日数据是否完整
    is_complete
) AS
WITH counted AS NOT MATERIALIZED (
    {% for its in [old, new] %}
    SELECT
        appid,
        account_name,
        calendar_date,
        articles_published,
        '{{ its.suffix }}' AS suffix,
        {% for it in both %}
        {{ it.name }}_increment AS {{ it.name }},
        {% endfor %}
        is_complete
    FROM analytics.account_day{{ its.suffix }}
    {{ "UNION ALL" if not loop.last }}
    {% endfor %}
),

-- side by side by grouping: a join would be planned for a few days, and compare each with each
day AS NOT MATERIALIZED (
    SELECT
        counted.appid,
        counted.account_name,
        counted.calendar_date,
        {% for its in [old, new] %}
        bool_or(counted.is_complete) FILTER (WHERE counted.suffix = '{{ its.suffix }}')
            AS is_complete{{ its.suffix }},
        {% for it in both %}
        max(counted.{{ it.name }}) FILTER (WHERE counted.suffix = '{{ its.suffix }}')
            AS {{ it.name }}{{ its.suffix }},
        {% endfor %}
        {% endfor %}
        max(counted.articles_published) AS articles_published
    FROM counted
    GROUP BY counted.appid, counted.account_name, counted.calendar_date
)

SELECT
    day.appid,
    day.account_name,
    day.calendar_date,
    day.articles_published,
    taken.endpoint,
    {% for it in both %}
    {{ of_its_endpoint("day." ~ it.name, "day." ~ it.name) }} AS {{ it.name }}_increment,
    {% endfor %}
    {% for it in both %}
    {{
        of_its_endpoint("day." ~ it.name, "round(known." ~ it.name ~ "_ratio * day." ~ it.name, ")")
    }} AS {{ it.name }}_comparable,
    {% endfor %}
    {{ of_its_endpoint("day.is_complete", "day.is_complete") }} AS is_complete
FROM day
-- once an account, whichever of its days are asked for; not at all if nothing comparable is
LEFT JOIN (
    SELECT
        its.appid,
        {% for it in both %}
        sum(its.{{ it.name }}{{ old.suffix }}) FILTER (
            WHERE its.{{ it.name }}{{ new.suffix }} IS NOT NULL
        )
        / nullif(
            sum(its.{{ it.name }}{{ new.suffix }}) FILTER (
                WHERE its.{{ it.name }}{{ old.suffix }} IS NOT NULL
            ), 0
        ) AS {{ it.name }}_ratio,
        {% endfor %}
        its.account_name
    FROM day AS its
    WHERE its.is_complete{{ old.suffix }} AND its.is_complete{{ new.suffix }}
    GROUP BY its.appid, its.account_name
) AS known
    ON day.appid = known.appid AND day.account_name = known.account_name
-- the last day of which each publication day that counts on it has the rows of all its articles
LEFT JOIN (
    SELECT
        reached.appid,
        reached.account_name,
        max(reached.day) AS last_date
    FROM (
        SELECT
            account.appid,
            account.name AS account_name,
            pair.day,
            count(*) OVER counting AS pair_count,
            min(
                CASE
                    WHEN pair.settled = 'final' OR pair.list_sha256 = sha256('')
                        THEN {{ beijing("pair.ready_at") }} - 1
                    ELSE least({{ beijing("pair.ready_at") }}, pair.through_date + 1) - 1
                END
            ) OVER counting AS last_date
        FROM weixin.dim_account AS account
        INNER JOIN weixin.coverage AS pair
            ON account.appid = pair.appid
        WHERE
            pair.dataset = '{{ old.name }}'
            AND pair.list_sha256 IS NOT NULL
            AND pair.ready_at IS NOT NULL
            AND (
                pair.settled = 'final'
                OR pair.list_sha256 = sha256('')
                OR pair.through_date IS NOT NULL
            )
        WINDOW counting AS (
            PARTITION BY account.appid, account.name
            ORDER BY pair.day
            RANGE BETWEEN INTERVAL '{{ old.window - 1 }} days' PRECEDING AND CURRENT ROW
        )
    ) AS reached
    WHERE reached.pair_count = {{ old.window }} AND reached.day <= reached.last_date
    GROUP BY reached.appid, reached.account_name
) AS exact
    ON day.appid = exact.appid AND day.account_name = exact.account_name
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN day.is_complete{{ new.suffix }} IS NULL THEN '7d'
                WHEN day.is_complete{{ old.suffix }} IS NULL THEN '30d'
                WHEN
                    day.readers{{ new.suffix }} IS NULL
                    AND day.readers{{ old.suffix }} IS NOT NULL
                    THEN '7d'
                WHEN day.calendar_date <= exact.last_date THEN '7d'
                ELSE '30d'
            END AS endpoint
    ) AS taken
