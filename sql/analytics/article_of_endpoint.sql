{# for each: datasets #}
-- One row per article of an account that {{ dataset.endpoint }} has listed, with its latest totals;
-- they are NULL while it has no row. Totals grow until the article is {{ dataset.window }} days
-- old: compare articles of the same day_number, see analytics.article_day{{ dataset.suffix }}
-- 中文：每个公众号、每篇文章一行：最新累计值
-- key: appid, msgid
-- joins: appid to account; appid, msgid to article_listed; publication_date to calendar
{%
    from "analytics/macros.jinja" import
    common_total, is_final, is_listed, known_before, level, original_title, total
%}
{% set days = [1, 3, 7, 30] | reject("gt", dataset.window) | list %}
{% set offsets = [] %}
{% for day in days %}{% set _ = offsets.append(day - 1) %}{% endfor %}
{% import "analytics/columns.jinja" as shared %}
{#- Return the last known value of a metric: the newest row may lack a figure. -#}
{% macro latest_known(metric) -%}
coalesce(latest.{{ metric }}, {{ known_before(metric, dataset.fact, "latest") | indent(4) }})
{%- endmacro %}
CREATE VIEW analytics.article{{ dataset.suffix }} (
    {{ shared.columns("appid account_name msgid message_id position is_notified") }},
    {{ shared.columns("title original_title publication_date url") }},
    -- The newest stat_date (Beijing); NULL without a row
    -- 中文：最新统计日期（北京时间）
    stat_date,
    -- Age of the latest totals: stat_date in days after publication, the publication day being 1
    -- 中文：最新统计日为发布后第几天
    -- unit: days, level
    day_number,
    {{ shared.is_final }},
    {% for common in dataset.common %}
    {{ common_total(common, dataset, "the last day that has it") }}
    {{ common.name }},
    {% endfor %}
    {% for day in days %}
    -- Readers from publication to the end of day {{ day }}, the publication day being 1. NULL
    -- unless is_final and the readers of days {{ days | join(", ") }} are all known: these columns
    -- compare the same articles
    -- 中文：第 {{ day }} 天累计阅读人数（仅已定稿文章）
    -- unit: people, cumulative
    readers_day_{{ day }},
    -- readers_day_{{ day }} as a share of the final readers; NULL when readers_day_{{ day }} is.
    -- Over several articles divide sums by sums
    -- 中文：第 {{ day }} 天达到最终阅读人数的比例
    -- unit: share, level
    readers_day_{{ day }}_share,
    {% endfor %}
    {% for metric in dataset.totals %}
    {{ total(metric, "the last day that has it", "never gave it") }}
    {{ metric.name }},
    {% endfor %}
    {% for metric in dataset.figures if metric not in dataset.totals %}
    {{ level(metric) }}
    {{ metric.name }},
    {% endfor %}
    -- Whether the newest ready answer of {{ dataset.endpoint }} for its publication day lists it: a
    -- deleted article is no longer listed
    -- 中文：是否仍在最新数据中
    is_listed
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    article.msgid,
    article.message_id,
    article.position,
    article.publish_type = 0 AS is_notified,
    article.title,
    {{ original_title("article") }} AS original_title,
    article.publication_date,
    coalesce(article.url, article.content_url) AS url,
    latest.stat_date,
    latest.stat_date - article.publication_date + 1 AS day_number,
    {{ is_final("article", dataset) }} AS is_final,
    {% for common in dataset.common %}
    {{ latest_known(common.metric.name) if common.metric else "NULL::bigint" }}
        AS {{ common.name }},
    {% endfor %}
    {% for day in days %}
    growth.readers_day_{{ day }},
    growth.readers_day_{{ day }} / nullif({{ latest_known(dataset.readers) }}, 0)::numeric
        AS readers_day_{{ day }}_share,
    {% endfor %}
    {% for metric in dataset.totals %}
    {{ latest_known(metric.name) }} AS {{ metric.name }},
    {% endfor %}
    {% for metric in dataset.figures if metric not in dataset.totals %}
    {{ latest_known(metric.name) }} AS {{ metric.name }},
    {% endfor %}
    {{ is_listed("article", dataset) }} AS is_listed
FROM weixin.dim_account AS account
INNER JOIN weixin.dim_article AS article
    ON account.appid = article.appid
-- DISTINCT ON shows the planner that there is one row at most: a query without these columns skips
-- the join. LIMIT stops at the first row of the index.
LEFT JOIN
    LATERAL (
        SELECT DISTINCT ON (fact.appid, fact.msgid) fact.*
        FROM weixin.{{ dataset.fact }} AS fact
        WHERE fact.appid = article.appid AND fact.msgid = article.msgid
        ORDER BY fact.appid ASC, fact.msgid ASC, fact.stat_date DESC
        LIMIT 1
    ) AS latest
    ON article.appid = latest.appid AND article.msgid = latest.msgid
-- One scan finds the days of all articles. Grouping by the account's name too lets a filter on the
-- name reach the fact. HAVING in place of CASE would let the planner expect few articles.
LEFT JOIN (
    SELECT
        named.unique_name,
        fact.appid,
        fact.msgid,
    {% for day in days %}
    CASE
        WHEN count(fact.{{ dataset.readers }}) = {{ days | length }}
            THEN
                max(fact.{{ dataset.readers }})
                FILTER (WHERE fact.stat_date = fact.publication_date + {{ day - 1 }})
    END AS readers_day_{{ day }}{{ "," if not loop.last }}
    {% endfor %}
    FROM weixin.dim_account AS named
    INNER JOIN weixin.{{ dataset.fact }} AS fact
        ON named.appid = fact.appid
    INNER JOIN weixin.coverage
        ON
            fact.appid = coverage.appid
            AND fact.publication_date = coverage.day
            AND coverage.dataset = '{{ dataset.name }}'
            AND coverage.settled = 'final'
    WHERE fact.stat_date - fact.publication_date IN ({{ offsets | join(", ") }})
    GROUP BY named.unique_name, fact.appid, fact.msgid
) AS growth
    ON
        account.unique_name = growth.unique_name
        AND article.appid = growth.appid
        AND article.msgid = growth.msgid
WHERE article.unlisted_since ? '{{ dataset.name }}'
