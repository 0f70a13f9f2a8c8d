-- One row per account, article and stat_date: the article's totals at the end of the day, and the
-- increments since the previous row. All rows of an article come from one endpoint, so increments
-- add up to the latest totals: from getarticletotal (analytics.article_day_7d) where that has a row
-- of the article and was not retired within its window, else from its successor
-- (analytics.article_day_30d). The endpoints count differently, readers about 8 % apart: compare
-- articles of one endpoint. Never add up totals over days. For what an account gained on a day use
-- analytics.account_day: it has one endpoint for all articles of the day, so the sum here differs
-- 中文：两个接口的每篇文章、每个统计日一行：累计值与新增值（按文章选定一个接口）
-- key: appid, msgid, stat_date
-- joins: appid to account; appid, msgid to article; stat_date to calendar
{% from "analytics/macros.jinja" import common_increment, common_total %}
{%
    from "analytics/article.jinja" import
    counted_by_both, endpoint, is_of_new, is_of_old, new, old, retired_appids
%}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.article_day (
    {{ shared.columns("appid account_name msgid message_id position") }},
    {{ shared.columns("is_notified title publication_date") }},
    {{ endpoint }},
    {{ shared.columns("stat_date day_number days_spanned is_latest is_final") }},
    {% for common in counted_by_both %}
    {{ common_total(common, old, "the end of stat_date") }}
    {{ common.name }},
    {{ common_increment(common, old, "since the previous row with a value") }}
    {{ common.name }}_increment,
    {% endfor %}
    -- When a figure of the row last changed; the time of the load if no figure has changed
    -- 中文：最近一次变更时间
    changed_at
) AS
{% for dataset in [old, new] %}
SELECT
    day.appid,
    day.account_name,
    day.msgid,
    day.message_id,
    day.position,
    day.is_notified,
    day.title,
    day.publication_date,
    '{{ dataset.suffix[1:] }}' AS endpoint,
    day.stat_date,
    day.day_number,
    day.days_spanned,
    day.is_latest,
    day.is_final,
    {% for common in counted_by_both %}
    day.{{ common.name }},
    day.{{ common.name }}_increment,
    {% endfor %}
    day.changed_at
FROM analytics.article_day{{ dataset.suffix }} AS day
{% if loop.first %}
WHERE
    day.appid != ALL({{ retired_appids() | indent(4) }})
    OR {{ is_of_old("day") | indent(4) }}
    OR NOT {{ is_of_new("day") | indent(4) }}
UNION ALL
{% else %}
WHERE NOT {{ is_of_old("day") }}
{% endif %}
{% endfor %}
