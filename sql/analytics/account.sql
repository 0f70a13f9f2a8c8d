-- One row per account that was ever planned or imported. It has the account's attributes and the
-- days loaded from each endpoint
-- 中文：每个公众号一行：属性与数据范围
-- key: appid
{% from "weixin/macros.jinja" import is_behind, is_retired, newest_date %}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.account (
    {{ shared.appid }},
    {{ shared.account_name }},
    {% for dataset in datasets %}
    -- Oldest publication day of {{ dataset.name }} (Beijing) that has a ready answer, even an
    -- empty one: not one that says nothing, of a day on which WeChat listed no article
    -- 中文：最早已入库发布日（{{ dataset.name }}）
    first_loaded_date{{ dataset.suffix }},
    -- Newest publication day of {{ dataset.name }} (Beijing) that has such an answer.
    -- Where its state in analytics.coverage is behind: the newest day that has figures
    -- 中文：最新已入库发布日（{{ dataset.name }}）
    last_loaded_date{{ dataset.suffix }},
    -- Newest day (Beijing) for which everything gained is known: is_complete of
    -- analytics.account_day{{ dataset.suffix }}. NULL without one
    -- 中文：最近完整的统计日（{{ dataset.name }}）
    last_complete_date{{ dataset.suffix }},
    -- Whether WeChat has taken the endpoint of {{ dataset.name }} offline for the account: there
    -- are no newer days
    -- 中文：{{ dataset.name }} 接口是否已下线
    is_retired{{ dataset.suffix }},
    {% endfor %}
    -- Whether the account is still collected: in the list of accounts
    -- 中文：是否仍在采集
    is_active
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    {% for dataset in datasets %}
    {{ dataset.name }}.first_loaded_date AS first_loaded_date{{ dataset.suffix }},
    {{ dataset.name }}.last_loaded_date AS last_loaded_date{{ dataset.suffix }},
    {{ dataset.name }}_day.last_complete_date AS last_complete_date{{ dataset.suffix }},
    {{ is_retired("'" ~ dataset.name ~ "'", "account.appid") }}
        AS is_retired{{ dataset.suffix }},
    {% endfor %}
    account.is_active
FROM weixin.dim_account AS account
{% for dataset in datasets %}
LEFT JOIN LATERAL (
    SELECT
        min(day) AS first_loaded_date,
        CASE
            WHEN bool_or({{
                is_behind(
                    "coverage", "coverage.day", dataset.window,
                    newest_date("'" ~ dataset.name ~ "'", "account.appid"), "TRUE"
                ) | indent(12)
            }})
                THEN max(newest_date)
            ELSE max(day)
        END AS last_loaded_date
    FROM weixin.coverage
    WHERE
        dataset = '{{ dataset.name }}'
        AND appid = account.appid
        AND list_sha256 IS NOT NULL
) AS {{ dataset.name }} ON TRUE
-- A query without last_complete_date skips this join.
LEFT JOIN (
    SELECT
        appid,
        max(calendar_date) FILTER (WHERE is_complete) AS last_complete_date
    FROM analytics.account_day{{ dataset.suffix }}
    GROUP BY appid
) AS {{ dataset.name }}_day
    ON account.appid = {{ dataset.name }}_day.appid
{% endfor %}
