{# for each: datasets #}
-- One row per account, article and stat_date of {{ dataset.endpoint }}: what the article had
-- reached by the end of the day, and what came since the previous row. Increments add up to the
-- latest totals; never add up totals over days
-- 中文：每个公众号、每篇文章、每个统计日一行：累计值与新增值
-- key: appid, msgid, stat_date
-- joins: appid to account; appid, msgid to article{{ dataset.suffix }}; stat_date to calendar
{%
    from "analytics/macros.jinja" import
    common_increment, common_total, increment, is_latest, known_before, level, total
%}
{% import "analytics/columns.jinja" as the %}
{% set since = "since the row before that gave it" %}
CREATE VIEW analytics.article_day{{ dataset.suffix }} (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.title }},
    {{ the.position }},
    {{ the.publication_date }},
    {{ the.stat_date }},
    {{ the.day_number }},
    -- Days the increments cover: since the previous row, or since publication for the first row.
    -- The increment of a metric that the previous row left out reaches back to the last row that
    -- has it. 0 or less for a first row of a day before publication
    -- 中文：新增值所跨天数
    -- unit: days, additive
    days_spanned,
    -- Whether it is the article's newest row: totals of such rows may be added up over articles
    -- 中文：是否为该文章最新一行
    is_latest,
    -- Whether the article's totals have stopped growing: its publication day is final, that is, two
    -- mornings after the window agreed, and is not asked for again
    -- 中文：累计值是否已定稿
    is_final,
    {% for it in dataset.common %}
    {{ common_total(it, dataset, "the end of stat_date") }}
    {{ it.name }},
    {{ common_increment(it, dataset, since) }}
    {{ it.name }}_increment,
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
    -- When one of its figures last changed: when the row was loaded, if none has
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
    {% for it in dataset.common %}
    {{ "day." ~ it.metric.name if it.metric else "NULL::bigint" }} AS {{ it.name }},
    {{ "day." ~ it.metric.name ~ "_increment" if it.metric else "NULL::bigint" }}
        AS {{ it.name }}_increment,
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
        account.name AS account_name,
        -- title and position are looked up last: of the ten articles that a question shows, not of
        -- all that it sorts
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
        fact.stat_date - coalesce(before.stat_date, fact.publication_date - 1) AS days_spanned,
        {{ is_latest(dataset.fact) | indent(8) }} AS is_latest,
        {% for metric in dataset.wholes %}
        fact.{{ metric.name }} - coalesce(
            before.{{ metric.name }},
            CASE
                WHEN fact.{{ metric.name }} IS NOT NULL AND before.appid IS NOT NULL
                    THEN {{ known_before(metric.name, dataset.fact, "before") | indent(24) }}
            END,
            0
        ) AS {{ metric.name }}_increment,
        {% endfor %}
        coalesce(pair.settled = 'final', FALSE) AS is_final
    FROM weixin.dim_account AS account
    INNER JOIN weixin.{{ dataset.fact }} AS fact
        ON account.appid = fact.appid
    -- row by row, by the key: a question that picks a day reads no other
    LEFT JOIN LATERAL (
        SELECT previous.*
        FROM weixin.{{ dataset.fact }} AS previous
        WHERE
            previous.appid = fact.appid
            AND previous.msgid = fact.msgid
            AND previous.stat_date < fact.stat_date
        ORDER BY previous.stat_date DESC
        LIMIT 1
    ) AS before ON TRUE
    LEFT JOIN weixin.coverage AS pair
        ON
            fact.appid = pair.appid
            AND fact.publication_date = pair.day
            AND pair.dataset = '{{ dataset.name }}'
) AS day
