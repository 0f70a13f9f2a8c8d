-- One row per article that either endpoint has listed, with its latest totals. All figures of an
-- article come from one endpoint: from getarticletotal (analytics.article_7d) where that has a row
-- of the article, else from its successor (analytics.article_30d). Where WeChat retired
-- getarticletotal before the article's window ended, they come from the successor too. The
-- endpoints count differently, readers about 8 % apart: compare articles of one endpoint. What only
-- one endpoint counts is in its own view
-- 中文：两个接口的每篇文章一行：最新累计值（getarticletotal 有数据时取其数据，否则取替代接口）
-- key: appid, msgid
-- joins: appid to account; appid, message_id to message; publication_date to calendar
{% from "analytics/macros.jinja" import common_total %}
{%
    from "analytics/article.jinja" import
    counted_by_both, endpoint, is_of_new, is_of_old, new, old, retired_appids
%}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.article (
    {{ shared.columns("appid account_name msgid message_id position is_notified") }},
    {{ shared.columns("title original_title publication_date url") }},
    {{ endpoint }},
    -- The newest stat_date (Beijing); NULL without a row
    -- 中文：最新统计日期（北京时间）
    stat_date,
    {{ shared.day_number }},
    {{ shared.is_final }},
    {% for common in counted_by_both %}
    {{ common_total(common, old, "the last day that has it") }}
    {{ common.name }},
    {% endfor %}
    {% for day in [1, 3, 7] %}
    -- Readers from publication to the end of day {{ day }}, the publication day being 1. NULL
    -- unless is_final and the readers of the endpoint's other days are known too, so that these
    -- columns compare the same articles
    -- 中文：第 {{ day }} 天累计阅读人数（仅已定稿文章）
    -- unit: people, cumulative
    readers_day_{{ day }},
    {% endfor %}
    -- Whether the newest ready answer of that endpoint for its publication day lists it: a deleted
    -- article is no longer listed
    -- 中文：是否仍在最新数据中
    is_listed
) AS
{% for dataset in [old, new] %}
SELECT
    total.appid,
    total.account_name,
    total.msgid,
    total.message_id,
    total.position,
    total.is_notified,
    total.title,
    total.original_title,
    total.publication_date,
    total.url,
    '{{ dataset.suffix[1:] }}' AS endpoint,
    total.stat_date,
    total.day_number,
    total.is_final,
    {% for common in counted_by_both %}
    total.{{ common.name }},
    {% endfor %}
    {% for day in [1, 3, 7] %}
    total.readers_day_{{ day }},
    {% endfor %}
    total.is_listed
FROM analytics.article{{ dataset.suffix }} AS total
{% if loop.first %}
WHERE
    -- The same as in the second branch, where the total has no stat_date of this endpoint
    total.stat_date IS NOT NULL
    AND (
        total.appid != ALL({{ retired_appids() | indent(8) }})
        OR total.stat_date >= total.publication_date + {{ old.window - 1 }}
    )
    OR NOT {{ is_of_new("total") | indent(4) }}
UNION ALL
{% else %}
WHERE NOT {{ is_of_old("total") }}
{% endif %}
{% endfor %}
