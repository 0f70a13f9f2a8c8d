-- One row per article of an account that {{ dataset.name }} has given a row of, with its latest
-- totals. These grow until the article is {{ dataset.window }} days old:
-- compare articles of the same day_number, see analytics.article_day{{ dataset.suffix }}.
-- All articles that either endpoint has listed are in analytics.article_listed
-- 中文：每个公众号、每篇文章一行：最新累计值
-- key: appid, msgid
-- joins: appid to account; appid, msgid to article_listed; publication_date to calendar
{%
    from "analytics/macros.jinja" import
    final_reason, is_final, last_seen_at, level, original_title, total
%}
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
    -- Whether the newest answer of {{ dataset.name }} for its publication day lists it: a deleted
    -- article is no longer listed
    -- 中文：是否仍在最新数据中
    is_listed,
    -- Fetch time of the first answer of {{ dataset.name }} that no longer lists it; NULL while it
    -- is listed
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
    {{ the.last_seen_at }},
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
    listing.last_seen_at >= pair.fetched_at AS is_listed,
    CASE
        WHEN listing.last_seen_at < pair.fetched_at
            THEN (
                SELECT min(answer.fetched_at)
                FROM weixin.raw_response AS answer
                WHERE
                    answer.dataset = '{{ dataset.name }}'
                    AND answer.appid = latest.appid
                    AND answer.publication_date = latest.publication_date
                    AND answer.fetched_at > listing.last_seen_at
            )
    END AS unlisted_since,
    latest.stat_date,
    latest.stat_date - latest.publication_date + 1 AS day_number,
    {% for metric in dataset.figures if metric in dataset.totals %}
    latest.{{ metric.name }},
    {% endfor %}
    {% for metric in dataset.figures if metric not in dataset.totals %}
    latest.{{ metric.name }},
    {% endfor %}
    latest.complete_through_date,
    {{ is_final(dataset) }} AS is_final,
    article.first_seen_at,
    {{ last_seen_at("article", datasets) }} AS last_seen_at,
    {{ original_title("article") }} AS original_title,
    {{ final_reason(dataset) }} AS final_reason
FROM weixin.latest_{{ dataset.name }} AS latest
INNER JOIN weixin.dim_account AS account
    ON latest.appid = account.appid
LEFT JOIN weixin.dim_article AS article
    ON latest.appid = article.appid AND latest.msgid = article.msgid
LEFT JOIN weixin.coverage AS pair
    ON
        latest.appid = pair.appid
        AND latest.publication_date = pair.publication_date
        AND pair.dataset = '{{ dataset.name }}'
LEFT JOIN weixin.article_sighting AS listed
    ON
        latest.appid = listed.appid
        AND latest.msgid = listed.msgid
        AND listed.dataset = '{{ dataset.name }}'
LEFT JOIN weixin.raw_response AS listing
    ON listed.raw_response_id = listing.raw_response_id
