{# for each: datasets #}
-- One row per article of an account that {{ dataset.endpoint }} has given a row of, with its latest
-- totals. These grow until the article is {{ dataset.window }} days old:
-- compare articles of the same day_number, see analytics.article_day{{ dataset.suffix }}.
-- All articles that either endpoint has listed are in analytics.article_listed
-- 中文：每个公众号、每篇文章一行：最新累计值
-- key: appid, msgid
-- joins: appid to account; appid, msgid to article_listed; publication_date to calendar
{%
    from "analytics/macros.jinja" import
    common_total, final_reason, growth_days, is_final, is_listed, known_before, level,
    original_title, total, unlisted_since
%}
{% set days = growth_days | reject("gt", dataset.window) | list %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.article{{ dataset.suffix }} (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.message_id }},
    {{ the.position }},
    {{ the.title }},
    {{ the.original_title }},
    {{ the.publication_date }},
    {{ the.url }},
    -- Whether the newest ready answer of {{ dataset.endpoint }} for its publication day lists it: a
    -- deleted article is no longer listed
    -- 中文：是否仍在最新数据中
    is_listed,
    -- Fetch time of the first ready answer of {{ dataset.endpoint }} that no longer lists it; NULL
    -- while it is listed
    -- 中文：何时起不再列出
    unlisted_since,
    -- The newest stat_date (Beijing)
    -- 中文：最新统计日期（北京时间）
    stat_date,
    -- Age of the latest totals: stat_date in days after publication, the publication day being 1
    -- 中文：最新统计日为发布后第几天
    -- unit: days, level
    day_number,
    -- Whether the totals have stopped growing: the article has all {{ dataset.window }} rows, or
    -- its publication day is final and is not asked for again
    -- 中文：累计值是否已定稿
    is_final,
    {% for it in dataset.common %}
    {{ common_total(it, dataset, "the last day that has it") }}
    {{ it.name }},
    {% endfor %}
    {% for day in days %}
    -- Readers from publication to the end of day {{ day }}, the publication day being 1. NULL
    -- unless is_final, so that young articles are in no sum of it, and without a row of that day
    -- 中文：第 {{ day }} 天累计阅读人数（仅已定稿文章）
    -- unit: people, cumulative
    readers_day_{{ day }},
    -- readers_day_{{ day }} as a share of the final readers; NULL unless is_final, and without a
    -- row of that day. Over several articles divide sums by sums
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
    {{ the.final_reason }}
) AS
SELECT
    article.appid,
    article.account_name,
    article.msgid,
    article.message_id,
    article.position,
    article.title,
    article.original_title,
    article.publication_date,
    article.url,
    article.is_listed,
    article.unlisted_since,
    article.stat_date,
    article.stat_date - article.publication_date + 1 AS day_number,
    article.is_final,
    {% for it in dataset.common %}
    {{ "article." ~ it.metric.name if it.metric else "NULL::bigint" }} AS {{ it.name }},
    {% endfor %}
    {% for day in days %}
    CASE WHEN article.is_final THEN article.day_{{ day }} END AS readers_day_{{ day }},
    CASE WHEN article.is_final THEN article.day_{{ day }} END::numeric
    / nullif(article.{{ dataset.readers }}, 0) AS readers_day_{{ day }}_share,
    {% endfor %}
    {% for metric in dataset.totals %}
    article.{{ metric.name }},
    {% endfor %}
    {% for metric in dataset.figures if metric not in dataset.totals %}
    article.{{ metric.name }},
    {% endfor %}
    article.final_reason
FROM (
    SELECT
        account.appid,
        account.name AS account_name,
        latest.msgid,
        listed.message_id,
        listed.position,
        -- titles are looked up last: of the ten articles that a question shows, not of all that it
        -- sorts
        (
            SELECT titled.title
            FROM weixin.dim_article AS titled
            WHERE titled.appid = latest.appid AND titled.msgid = latest.msgid
        ) AS title,
        {{ original_title("listed") | indent }} AS original_title,
        latest.publication_date,
        latest.stat_date,
        coalesce(listed.url, listed.content_url) AS url,
        {{ is_listed("listed", dataset) }} AS is_listed,
        {{ unlisted_since("listed", dataset) }} AS unlisted_since,
        {{ is_final(dataset, "latest") | indent }} AS is_final,
        {% for day in days %}
        day_{{ day }}.{{ dataset.readers }} AS day_{{ day }},
        {% endfor %}
        {% for metric in dataset.figures %}
        coalesce(
            latest.{{ metric.name }},
            {{ known_before(metric.name, dataset.fact, "latest") | indent(12) }}
        ) AS {{ metric.name }},
        {% endfor %}
        {{ final_reason(dataset, "latest") | indent }} AS final_reason
    FROM weixin.dim_account AS account
    INNER JOIN weixin.{{ dataset.fact }} AS latest
        ON account.appid = latest.appid
    LEFT JOIN weixin.dim_article AS listed
        ON latest.appid = listed.appid AND latest.msgid = listed.msgid
    LEFT JOIN weixin.coverage AS pair
        ON
            latest.appid = pair.appid
            AND latest.publication_date = pair.day
            AND pair.dataset = '{{ dataset.name }}'
    -- by the key, so that a question that asks for no such day reads none
    {% for day in days %}
    LEFT JOIN weixin.{{ dataset.fact }} AS day_{{ day }}
        ON
            latest.appid = day_{{ day }}.appid
            AND latest.msgid = day_{{ day }}.msgid
            AND latest.publication_date + {{ day - 1 }} = day_{{ day }}.stat_date
    {% endfor %}
    WHERE NOT EXISTS (
            SELECT FROM weixin.{{ dataset.fact }} AS later
            WHERE
                later.appid = latest.appid
                AND later.msgid = latest.msgid
                AND later.stat_date > latest.stat_date
        )
) AS article
