-- One row per account and calendar day: what all its articles gained that day, as one series
-- through the retirement of getarticletotal. Until the last complete day of article_total it is
-- analytics.account_day; after that, once WeChat has retired the endpoint for the account, it is
-- analytics.account_day_detail times a ratio: what article_total counted of what its successor
-- counted, over the days of which both are complete. An estimate: the two count by different rules.
-- Only figures that both count are here
-- 中文：每个公众号、每一天一行：接口下线前后衔接的新增值（下线后为估算值）
-- key: appid, calendar_date
-- joins: appid to account; calendar_date to calendar
{% from "analytics/macros.jinja" import increment %}
{% from "weixin/macros.jinja" import is_retired %}
{% import "analytics/columns.jinja" as the %}
{% set old = datasets | selectattr("successor") | first %}
{% set new = datasets | selectattr("name", "equalto", old.successor) | first %}
{% set both = old.totals | selectattr("nearest") | list %}
CREATE VIEW analytics.account_day_spliced (
    {{ the.appid }},
    {{ the.account_name }},
    -- The day (Beijing)
    -- 中文：日期（北京时间）
    calendar_date,
    -- Articles published on the day, as known from either endpoint
    -- 中文：当日发布文章数
    -- unit: articles, additive
    articles_published,
    {% for metric in both %}
    {{
        increment(
            metric,
            "gained on the day over all articles within their window, estimated where is_spliced; "
            ~ "NULL when unknown"
        )
    }}
    {{ metric.name }}_increment,
    {% endfor %}
    -- Whether everything that came on the day is known, from the endpoint that it is taken from,
    -- and the ratios are known where is_spliced
    -- 中文：当日数据是否完整
    is_complete,
    -- Whether the day is an estimate: the successor's figures times the ratios
    -- 中文：是否由替代接口估算
    is_spliced,
    {% for metric in both %}
    -- What {{ metric.name }} is multiplied from: its sum of all days of which both endpoints are
    -- complete over that of the successor's {{ metric.nearest }}; NULL without such days
    -- 中文：{{ metric.chinese_name }}的衔接比例
    -- unit: share, level
    {{ metric.name }}_ratio,
    {% endfor %}
    -- On how many days the ratios rest: few days make a poor estimate
    -- 中文：衔接比例所依据的天数
    -- unit: days, level
    ratio_days
) AS
-- side by side by grouping: a join would be planned for a few days, and compare each with each
WITH day AS NOT MATERIALIZED (
    SELECT
        counted.appid,
        counted.account_name,
        counted.calendar_date,
        max(counted.articles_published) AS articles_published,
        {% for metric in both %}
        max(counted.{{ metric.name }}) AS {{ metric.name }},
        max(counted.new_{{ metric.name }}) AS new_{{ metric.name }},
        {% endfor %}
        bool_or(counted.is_complete) AS is_complete,
        coalesce(bool_or(counted.is_new_complete), FALSE) AS is_new_complete
    FROM (
        SELECT
            old.appid,
            old.account_name,
            old.calendar_date,
            old.articles_published,
            {% for metric in both %}
            old.{{ metric.name }}_increment AS {{ metric.name }},
            NULL::numeric AS new_{{ metric.name }},
            {% endfor %}
            old.is_complete,
            NULL::boolean AS is_new_complete
        FROM analytics.account_day{{ old.suffix }} AS old
        UNION ALL
        SELECT
            new.appid,
            new.account_name,
            new.calendar_date,
            NULL,
            {% for metric in both %}
            NULL,
            new.{{ metric.nearest }}_increment,
            {% endfor %}
            NULL,
            new.is_complete
        FROM analytics.account_day{{ new.suffix }} AS new
    ) AS counted
    GROUP BY counted.appid, counted.account_name, counted.calendar_date
    HAVING bool_or(counted.is_complete IS NOT NULL)
)

SELECT
    day.appid,
    day.account_name,
    day.calendar_date,
    day.articles_published,
    {% for metric in both %}
    CASE
        WHEN spliced.is_spliced THEN day.new_{{ metric.name }} * known.{{ metric.name }}_ratio
        ELSE day.{{ metric.name }}
    END AS {{ metric.name }}_increment,
    {% endfor %}
    CASE
        WHEN spliced.is_spliced THEN day.is_new_complete AND known.ratio_days > 0
        ELSE day.is_complete
    END AS is_complete,
    spliced.is_spliced,
    {% for metric in both %}
    known.{{ metric.name }}_ratio,
    {% endfor %}
    known.ratio_days
FROM day
-- once an account, whichever of its days are asked for
INNER JOIN (
    SELECT
        its.appid,
        its.account_name,
        {{ is_retired("'" ~ old.name ~ "'", "its.appid") }} AS is_retired,
        coalesce(max(its.calendar_date) FILTER (WHERE its.is_complete), '-infinity') AS last_date,
        {% for metric in both %}
        sum(its.{{ metric.name }}) FILTER (
            WHERE its.is_complete AND its.is_new_complete AND its.new_{{ metric.name }} IS NOT NULL
        )
        / nullif(
            sum(its.new_{{ metric.name }}) FILTER (
                WHERE its.is_complete AND its.is_new_complete AND its.{{ metric.name }} IS NOT NULL
            ), 0
        ) AS {{ metric.name }}_ratio,
        {% endfor %}
        count(*) FILTER (WHERE its.is_complete AND its.is_new_complete) AS ratio_days
    FROM day AS its
    GROUP BY its.appid, its.account_name
) AS known
    ON day.appid = known.appid AND day.account_name = known.account_name
CROSS JOIN
    LATERAL (
        SELECT known.is_retired AND day.calendar_date > known.last_date AS is_spliced
    ) AS spliced
