{# for each: datasets #}
-- One row per account, article and stat_date of {{ dataset.endpoint }}: the article's totals at the
-- end of the day, and the increments since the previous row. Increments add up to the latest
-- totals; never add up totals over days
-- 中文：每个公众号、每篇文章、每个统计日一行：累计值与新增值
-- key: appid, msgid, stat_date
-- joins: appid to account; appid, msgid to article{{ dataset.suffix }}; stat_date to calendar
{%
    from "analytics/macros.jinja" import
    common_increment, common_total, increment, is_latest, known_before, level, total
%}
{% import "analytics/columns.jinja" as shared %}
{% set since = "since the previous row with a value" %}
CREATE VIEW analytics.article_day{{ dataset.suffix }} (
    {{ shared.appid }},
    {{ shared.account_name }},
    {{ shared.msgid }},
    {{ shared.title }},
    {{ shared.position }},
    {{ shared.publication_date }},
    {{ shared.stat_date }},
    {{ shared.day_number }},
    -- Days that the increments cover: since the previous row, or since publication for the first
    -- row. If the previous row lacks a metric, its increment covers the days since the last row
    -- with a value. 0 or less for a first row of a day before publication
    -- 中文：新增值所跨天数
    -- unit: days, additive
    days_spanned,
    -- Whether this is the article's newest row: totals of such rows may be added up over articles
    -- 中文：是否为该文章最新一行
    is_latest,
    -- Whether the article's totals have stopped growing: the publication day is final, that is, the
    -- answers of two mornings after its window agree
    -- 中文：累计值是否已定稿
    is_final,
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
    day.title,
    day.position,
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
        -- As sub-selects, title and position are looked up last: for the articles that a query
        -- shows, not for all that it sorts.
        (
            SELECT article.title
            FROM weixin.dim_article AS article
            WHERE article.appid = fact.appid AND article.msgid = fact.msgid
        ) AS title,
        (
            SELECT article.position
            FROM weixin.dim_article AS article
            WHERE article.appid = fact.appid AND article.msgid = fact.msgid
        ) AS position,
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
        coalesce(coverage.settled = 'final', FALSE) AS is_final
    FROM weixin.dim_account AS account
    INNER JOIN weixin.{{ dataset.fact }} AS fact
        ON account.appid = fact.appid
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
    LEFT JOIN weixin.coverage
        ON
            fact.appid = coverage.appid
            AND fact.publication_date = coverage.day
            AND coverage.dataset = '{{ dataset.name }}'
) AS day
