{# for each: datasets #}
-- One row per account, article and stat_date of {{ dataset.endpoint }}: the article's totals at the
-- end of the day, and the increments since the previous row. Increments add up to the latest
-- totals; never add up totals over days
-- 中文：每个公众号、每篇文章、每个统计日一行：累计值与新增值
-- key: appid, msgid, stat_date
-- joins: appid to account; appid, msgid to article{{ dataset.suffix }}; stat_date to calendar
{%
    from "analytics/macros.jinja" import
    common_increment, common_total, increment, is_final, is_latest, known_before, level, total
%}
{% import "analytics/columns.jinja" as shared %}
{% set since = "since the previous row with a value" %}
CREATE VIEW analytics.article_day{{ dataset.suffix }} (
    {{ shared.columns("appid account_name msgid message_id position is_notified title") }},
    {{ shared.columns("publication_date stat_date day_number days_spanned is_latest is_final") }},
    {% for common in dataset.common %}
    {{ common_total(common, dataset, "the end of stat_date") }}
    {{ common.name }},
    {{ common_increment(common, dataset, since) }}
    {{ common.name }}_increment,
    {% endfor %}
    {% for metric in dataset.totals %}
    {{ total(metric, "the end of stat_date", "did not give it") }}
    {{ metric.name }},
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ increment(metric, since) }}
    {{ metric.name }}_increment,
    {% endfor %}
    {% for metric in dataset.metrics if metric not in dataset.totals %}
    {{ level(metric) }}
    {{ metric.name }},
    {% endfor %}
    -- When a figure of the row last changed; the time of the load if no figure has changed
    -- 中文：最近一次变更时间
    changed_at
) AS
SELECT
    day.appid,
    day.account_name,
    day.msgid,
    day.message_id,
    day.position,
    day.is_notified,
    day.title,
    day.publication_date,
    day.stat_date,
    day.stat_date - day.publication_date + 1 AS day_number,
    day.days_spanned,
    day.is_latest,
    day.is_final,
    {% for common in dataset.common %}
    {{ "day." ~ common.metric.name if common.metric else "NULL::bigint" }} AS {{ common.name }},
    {{ "day." ~ common.metric.name ~ "_increment" if common.metric else "NULL::bigint" }}
        AS {{ common.name }}_increment,
    {% endfor %}
    {% for metric in dataset.totals %}
    day.{{ metric.name }},
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    day.{{ metric.name }}_increment,
    {% endfor %}
    {% for metric in dataset.metrics if metric not in dataset.totals %}
    day.{{ metric.name }},
    {% endfor %}
    day.changed_at
FROM (
    SELECT
        fact.*,
        account.unique_name AS account_name,
        article.title,
        article.position,
        article.message_id,
        article.publish_type = 0 AS is_notified,
        fact.stat_date - coalesce(previous.stat_date, fact.publication_date - 1) AS days_spanned,
        {{ is_latest(dataset.fact) | indent(8) }} AS is_latest,
        {% for metric in dataset.wholes %}
        fact.{{ metric.name }} - coalesce(
            previous.{{ metric.name }},
            CASE
                WHEN fact.{{ metric.name }} IS NOT NULL AND previous.appid IS NOT NULL
                    THEN {{ known_before(metric.name, dataset.fact, "previous") | indent(24) }}
            END,
            0
        ) AS {{ metric.name }}_increment,
        {% endfor %}
        {{ is_final("fact", dataset) | indent(4) }} AS is_final
    FROM weixin.dim_account AS account
    INNER JOIN weixin.{{ dataset.fact }} AS fact
        ON account.appid = fact.appid
    INNER JOIN weixin.dim_article AS article
        ON fact.appid = article.appid AND fact.msgid = article.msgid
    -- The previous row is looked up by its key, so a query for one day reads no other days.
    LEFT JOIN LATERAL (
        SELECT earlier.*
        FROM weixin.{{ dataset.fact }} AS earlier
        WHERE
            earlier.appid = fact.appid
            AND earlier.msgid = fact.msgid
            AND earlier.stat_date < fact.stat_date
        ORDER BY earlier.stat_date DESC
        LIMIT 1
    ) AS previous ON TRUE
) AS day
