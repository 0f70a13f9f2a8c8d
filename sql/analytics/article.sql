{# for each: datasets #}
-- One row per article of an account that {{ dataset.name }} has given a row of, with its latest
-- totals. These grow until the article is {{ dataset.window }} days old:
-- compare articles of the same day_number, see analytics.article_day{{ dataset.suffix }}.
-- All articles that either endpoint has listed are in analytics.article_listed
-- 中文：每个公众号、每篇文章一行：最新累计值
-- key: appid, msgid
-- joins: appid to account; appid, msgid to article_listed; publication_date to calendar
{%
    from "analytics/macros.jinja" import
    final_reason, is_final, level, original_title, total
%}
{#- The last known value of a figure: the newest row's or, where that lacks it, an earlier one. -#}
{% macro last_of(figure) -%}
coalesce(
    latest.{{ figure }},
    (
        SELECT known.{{ figure }}
        FROM weixin.{{ dataset.fact }} AS known
        WHERE
            known.appid = latest.appid
            AND known.msgid = latest.msgid
            AND known.{{ figure }} IS NOT NULL
        ORDER BY known.stat_date DESC
        LIMIT 1
    )
)
{%- endmacro %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.article{{ dataset.suffix }} (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.message_id }},
    {{ the.position }},
    {{ the.title }},
    {{ the.publication_date }},
    {{ the.publication_weekday }},
    {{ the.url }},
    {{ the.publish_type }},
    -- Whether the newest ready answer of {{ dataset.name }} for its publication day lists it: a
    -- deleted article is no longer listed
    -- 中文：是否仍在最新数据中
    is_listed,
    -- Fetch time of the first ready answer of {{ dataset.name }} that no longer lists it; NULL
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
    {% for metric in dataset.figures if metric in dataset.totals %}
    {{ total(metric, "the last day that has it", "never gave it") }}
    {{ metric.name }},
    {% endfor %}
    {% for metric in dataset.figures if metric not in dataset.totals %}
    {{ level(metric) }}
    {{ metric.name }},
    {% endfor %}
    -- Last stat_date up to which every day since publication has a row; NULL when the publication
    -- day has none
    -- 中文：连续完整至哪一天
    complete_through_date,
    -- Whether the totals have stopped growing: the article has all {{ dataset.window }} rows, or
    -- its publication day is final and is not asked for again
    -- 中文：累计值是否已定稿
    is_final,
    {{ the.first_seen_at }},
    {{ the.original_title }},
    {{ the.final_reason }}
) AS
-- titles are looked up last: of the ten articles that a question shows, not of all that it sorts
SELECT
    account.appid,
    account.name AS account_name,
    latest.msgid,
    article.message_id,
    article.position,
    (
        SELECT titled.title
        FROM weixin.dim_article AS titled
        WHERE titled.appid = latest.appid AND titled.msgid = latest.msgid
    ) AS title,
    latest.publication_date,
    extract(ISODOW FROM latest.publication_date)::smallint AS publication_weekday,
    coalesce(article.url, article.content_url) AS url,
    article.publish_type,
    CASE WHEN sighting.appid IS NOT NULL THEN sighting.unlisted_since IS NULL END AS is_listed,
    sighting.unlisted_since,
    latest.stat_date,
    latest.stat_date - latest.publication_date + 1 AS day_number,
    {% for metric in dataset.figures if metric in dataset.totals %}
    {{ last_of(metric.name) | indent }} AS {{ metric.name }},
    {% endfor %}
    {% for metric in dataset.figures if metric not in dataset.totals %}
    {{ last_of(metric.name) | indent }} AS {{ metric.name }},
    {% endfor %}
    (
        SELECT
            CASE
                WHEN min(its.stat_date) = latest.publication_date
                    THEN min(its.stat_date) FILTER (WHERE NOT EXISTS (
                            SELECT FROM weixin.{{ dataset.fact }} AS following
                            WHERE
                                following.appid = its.appid
                                AND following.msgid = its.msgid
                                AND following.stat_date = its.stat_date + 1
                        ))
            END
        FROM weixin.{{ dataset.fact }} AS its
        WHERE
            its.appid = latest.appid
            AND its.msgid = latest.msgid
            AND its.stat_date >= latest.publication_date
    ) AS complete_through_date,
    {{ is_final(dataset, "latest") }} AS is_final,
    article.first_seen_at,
    {{ original_title("article") }} AS original_title,
    {{ final_reason(dataset, "latest") }} AS final_reason
FROM weixin.dim_account AS account
INNER JOIN weixin.{{ dataset.fact }} AS latest
    ON account.appid = latest.appid
LEFT JOIN weixin.dim_article AS article
    ON latest.appid = article.appid AND latest.msgid = article.msgid
LEFT JOIN weixin.coverage AS pair
    ON
        latest.appid = pair.appid
        AND latest.publication_date = pair.day
        AND pair.dataset = '{{ dataset.name }}'
LEFT JOIN weixin.article_sighting AS sighting
    ON
        latest.appid = sighting.appid
        AND latest.msgid = sighting.msgid
        AND sighting.dataset = '{{ dataset.name }}'
WHERE NOT EXISTS (
        SELECT FROM weixin.{{ dataset.fact }} AS later
        WHERE
            later.appid = latest.appid
            AND later.msgid = latest.msgid
            AND later.stat_date > latest.stat_date
    )
