{# for each: datasets #}
-- One row per article of an account that {{ dataset.endpoint }} has given a row of, with its latest
-- totals. Totals grow until the article is {{ dataset.window }} days old: compare articles of the
-- same day_number, see analytics.article_day{{ dataset.suffix }}. All articles that either endpoint
-- has listed are in analytics.article_listed
-- 中文：每个公众号、每篇文章一行：最新累计值
-- key: appid, msgid
-- joins: appid to account; appid, msgid to article_listed; publication_date to calendar
{%
    from "analytics/macros.jinja" import
    common_total, is_listed, known_before, level, original_title, total
%}
{% set days = [1, 3, 7, 30] | reject("gt", dataset.window) | list %}
{% import "analytics/columns.jinja" as shared %}
{#- Return the last known value of a metric: the newest row may lack a figure. -#}
{% macro latest_known(metric) -%}
coalesce(latest.{{ metric }}, {{ known_before(metric, dataset.fact, "latest") | indent(4) }})
{%- endmacro %}
CREATE VIEW analytics.article{{ dataset.suffix }} (
    {{ shared.appid }},
    {{ shared.account_name }},
    {{ shared.msgid }},
    {{ shared.message_id }},
    {{ shared.position }},
    {{ shared.title }},
    {{ shared.original_title }},
    {{ shared.publication_date }},
    {{ shared.url }},
    -- The newest stat_date (Beijing)
    -- 中文：最新统计日期（北京时间）
    stat_date,
    -- Age of the latest totals: stat_date in days after publication, the publication day being 1
    -- 中文：最新统计日为发布后第几天
    -- unit: days, level
    day_number,
    -- Whether the totals have stopped growing: the publication day is final, that is, the answers
    -- of two mornings after its window agree
    -- 中文：累计值是否已定稿
    is_final,
    {% for common in dataset.common %}
    {{ common_total(common, dataset, "the last day that has it") }}
    {{ common.name }},
    {% endfor %}
    {% for day in days %}
    -- Readers from publication to the end of day {{ day }}, the publication day being 1. NULL
    -- without a row of that day, and unless is_final, so that sums leave young articles out
    -- 中文：第 {{ day }} 天累计阅读人数（仅已定稿文章）
    -- unit: people, cumulative
    readers_day_{{ day }},
    -- readers_day_{{ day }} as a share of the final readers; NULL without a row of that day, and
    -- unless is_final. Over several articles divide sums by sums
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
    article.title,
    {{ original_title("article") }} AS original_title,
    article.publication_date,
    coalesce(article.url, article.content_url) AS url,
    latest.stat_date,
    latest.stat_date - article.publication_date + 1 AS day_number,
    coalesce(coverage.settled = 'final', FALSE) AS is_final,
    {% for common in dataset.common %}
    {{ latest_known(common.metric.name) if common.metric else "NULL::bigint" }}
        AS {{ common.name }},
    {% endfor %}
    {% for day in days %}
    CASE WHEN coverage.settled = 'final' THEN day_{{ day }}.{{ dataset.readers }} END
        AS readers_day_{{ day }},
    CASE WHEN coverage.settled = 'final' THEN day_{{ day }}.{{ dataset.readers }} END
    / nullif({{ latest_known(dataset.readers) }}, 0)::numeric AS readers_day_{{ day }}_share,
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
CROSS JOIN
    LATERAL (
        SELECT fact.*
        FROM weixin.{{ dataset.fact }} AS fact
        WHERE fact.appid = article.appid AND fact.msgid = article.msgid
        ORDER BY fact.stat_date DESC
        LIMIT 1
    ) AS latest
LEFT JOIN weixin.coverage
    ON
        article.appid = coverage.appid
        AND article.publication_date = coverage.day
        AND coverage.dataset = '{{ dataset.name }}'
-- These joins use the primary key, so a query without such columns does not read these rows.
{% for day in days %}
LEFT JOIN weixin.{{ dataset.fact }} AS day_{{ day }}
    ON
        article.appid = day_{{ day }}.appid
        AND article.msgid = day_{{ day }}.msgid
        AND article.publication_date + {{ day - 1 }} = day_{{ day }}.stat_date
        -- This condition lets one scan find the rows of all articles for the day.
        AND day_{{ day }}.publication_date + {{ day - 1 }} = day_{{ day }}.stat_date
{% endfor %}
