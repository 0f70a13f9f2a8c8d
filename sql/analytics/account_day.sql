-- One row per account and calendar day, for all accounts: what all articles gained that day, in one
-- series for both endpoints. Up to the last day on which every expected article has its row, the
-- figures come from getarticletotal (analytics.account_day_7d), later ones from its successor
-- (analytics.account_day_30d). The two endpoints count by different rules: where an account changes
-- from one to the other, compare the columns that end in _comparable. Figures that only one
-- endpoint counts are in that endpoint's own view
-- 中文：每个公众号、每一天一行：全部公众号的统一序列（getarticletotal 可用时取其数据，之后取替代接口）
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import increment %}
{% from "weixin/macros.jinja" import beijing %}
{% import "analytics/columns.jinja" as shared %}
{% set old = datasets | selectattr("successor") | first %}
{% set new = datasets | selectattr("name", "equalto", old.successor) | first %}
{% set counted_by_both = [] %}
{% for common in old.common if common.metric %}
{% set counterpart = new.common | selectattr("name", "equalto", common.name) | first %}
{% if counterpart.metric %}{% set _ = counted_by_both.append(common) %}{% endif %}
{% endfor %}
{% macro chosen_figure(old_figure, new_figure, end="") -%}
CASE chosen.endpoint
        WHEN '7d' THEN {{ old_figure ~ old.suffix }}
        ELSE {{ new_figure ~ new.suffix ~ end }}
    END
{%- endmacro %}
CREATE VIEW analytics.account_day (
    {{ shared.appid }},
    {{ shared.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day that either endpoint has listed
    -- 中文：当日发布文章数
    -- unit: articles, additive
    articles_published,
    -- Which endpoint the day's figures come from: 7d (getarticletotal) or 30d (its successor)
    -- 中文：数据来源接口：7d 为 getarticletotal，30d 为其替代接口
    endpoint,
    {% for common in counted_by_both %}
    {{
        increment(
            common.metric,
            "gained on the day over all articles within the endpoint's window, by its own rules; "
            ~ "NULL when unknown"
        )
    }}
    {{ common.name }}_increment,
    {% endfor %}
    {% for common in counted_by_both %}
    -- {{ common.name }}_increment by the rules of getarticletotal. On days of its successor this is
    -- an estimate: the increment times a ratio, the sum by getarticletotal over the sum by its
    -- successor, over the account's days that are complete in both. NULL without such days
    -- 中文：{{ common.chinese_name }}（新增，按 getarticletotal 口径折算）
    -- unit: {{ common.unit }}, additive
    {{ common.name }}_comparable,
    {% endfor %}
    -- Whether everything gained on the day is known from that endpoint: see is_complete in the view
    -- of the endpoint
    -- 中文：当日数据是否完整
    is_complete
) AS
WITH endpoint_day AS NOT MATERIALIZED (
    {% for dataset in [old, new] %}
    SELECT
        appid,
        account_name,
        calendar_date,
        articles_published,
        '{{ dataset.suffix }}' AS suffix,
        {% for common in counted_by_both %}
        {{ common.name }}_increment AS {{ common.name }},
        {% endfor %}
        is_complete
    FROM analytics.account_day{{ dataset.suffix }}
    {{ "UNION ALL" if not loop.last }}
    {% endfor %}
),

-- Put the endpoints side by side. A join would be planned for a few days and compare all pairs of
-- rows; grouping does not.
day AS NOT MATERIALIZED (
    SELECT
        endpoint_day.appid,
        endpoint_day.account_name,
        endpoint_day.calendar_date,
        {% for dataset in [old, new] %}
        bool_or(endpoint_day.is_complete)
        FILTER (WHERE endpoint_day.suffix = '{{ dataset.suffix }}')
            AS is_complete{{ dataset.suffix }},
        {% for common in counted_by_both %}
        max(endpoint_day.{{ common.name }})
        FILTER (WHERE endpoint_day.suffix = '{{ dataset.suffix }}')
            AS {{ common.name }}{{ dataset.suffix }},
        {% endfor %}
        {% endfor %}
        max(endpoint_day.articles_published) AS articles_published
    FROM endpoint_day
    GROUP BY endpoint_day.appid, endpoint_day.account_name, endpoint_day.calendar_date
)

SELECT
    day.appid,
    day.account_name,
    day.calendar_date,
    day.articles_published,
    chosen.endpoint,
    {% for common in counted_by_both %}
    {{ chosen_figure("day." ~ common.name, "day." ~ common.name) }} AS {{ common.name }}_increment,
    {% endfor %}
    {% for common in counted_by_both %}
    {{
        chosen_figure(
            "day." ~ common.name,
            "round(comparison." ~ common.name ~ "_ratio * day." ~ common.name,
            ")",
        )
    }} AS {{ common.name }}_comparable,
    {% endfor %}
    {{ chosen_figure("day.is_complete", "day.is_complete") }} AS is_complete
FROM day
-- One ratio per account, whichever days are queried. A query without the columns _comparable skips
-- this join.
LEFT JOIN (
    SELECT
        shared_day.appid,
        {% for common in counted_by_both %}
        sum(shared_day.{{ common.name }}{{ old.suffix }}) FILTER (
            WHERE shared_day.{{ common.name }}{{ new.suffix }} IS NOT NULL
        )
        / nullif(
            sum(shared_day.{{ common.name }}{{ new.suffix }}) FILTER (
                WHERE shared_day.{{ common.name }}{{ old.suffix }} IS NOT NULL
            ), 0
        ) AS {{ common.name }}_ratio,
        {% endfor %}
        shared_day.account_name
    FROM day AS shared_day
    WHERE shared_day.is_complete{{ old.suffix }} AND shared_day.is_complete{{ new.suffix }}
    GROUP BY shared_day.appid, shared_day.account_name
) AS comparison
    ON day.appid = comparison.appid AND day.account_name = comparison.account_name
-- The last day for which every publication day in the window has the rows of all its articles.
LEFT JOIN (
    SELECT
        window_end.appid,
        window_end.account_name,
        max(window_end.day) AS last_date
    FROM (
        SELECT
            account.appid,
            account.name AS account_name,
            coverage.day,
            count(*) OVER publication_window AS day_count,
            min(
                CASE
                    WHEN coverage.settled = 'final' OR coverage.list_sha256 = sha256('')
                        THEN {{ beijing("coverage.ready_at") }} - 1
                    ELSE least({{ beijing("coverage.ready_at") }}, coverage.through_date + 1) - 1
                END
            ) OVER publication_window AS last_date
        FROM weixin.dim_account AS account
        INNER JOIN weixin.coverage
            ON account.appid = coverage.appid
        WHERE
            coverage.dataset = '{{ old.name }}'
            AND coverage.list_sha256 IS NOT NULL
            AND coverage.ready_at IS NOT NULL
            AND (
                coverage.settled = 'final'
                OR coverage.list_sha256 = sha256('')
                OR coverage.through_date IS NOT NULL
            )
        WINDOW publication_window AS (
            PARTITION BY account.appid, account.name
            ORDER BY coverage.day
            RANGE BETWEEN INTERVAL '{{ old.window - 1 }} days' PRECEDING AND CURRENT ROW
        )
    ) AS window_end
    WHERE window_end.day_count = {{ old.window }} AND window_end.day <= window_end.last_date
    GROUP BY window_end.appid, window_end.account_name
) AS fully_counted
    ON day.appid = fully_counted.appid AND day.account_name = fully_counted.account_name
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
                WHEN day.calendar_date <= fully_counted.last_date THEN '7d'
                ELSE '30d'
            END AS endpoint
    ) AS chosen
