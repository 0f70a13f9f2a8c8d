{# for each: datasets #}
-- One row per account, article and stat_date of {{ dataset.name }}: what the article had reached by
-- the end of the day, and what came since the previous row. Increments add up to the latest totals;
-- never add up totals over days
-- 中文：每个公众号、每篇文章、每个统计日一行：累计值与新增值
-- key: appid, msgid, stat_date
-- joins: appid to account; appid, msgid to article{{ dataset.suffix }}; stat_date to calendar;
-- raw_response_id to answer
{%
    from "analytics/macros.jinja" import
    days_before, final_reason, increment, is_final, level, original_title, row_before,
    since_before, total
%}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.article_day{{ dataset.suffix }} (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.title }},
    {{ the.position }},
    {{ the.publication_date }},
    {{ the.publication_weekday }},
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
    -- Whether the article's totals have stopped growing: it has all {{ dataset.window }} rows, or
    -- its publication day is final and is not asked for again
    -- 中文：累计值是否已定稿
    is_final,
    -- Whether a total is below its last known earlier value, so that an increment is negative
    -- 中文：是否有累计值下降
    has_fall,
    {% for metric in dataset.totals %}
    {{ total(metric, "the end of stat_date", "did not give it") }}
    {{ metric.name }},
    {{ increment(metric, "since the row before that gave it") }}
    {{ metric.name }}_increment,
    {% endfor %}
    {% for metric in dataset.metrics if metric not in dataset.totals %}
    {{ level(metric) }}
    {{ metric.name }},
    {% endfor %}
    {% for rate in dataset.rates %}
    -- {{ rate.numerator }}, where both it and {{ rate.denominator }} are known: sum it over
    -- articles of one day_number and position
    -- 中文：{{ rate.chinese_name }}的分子
    -- unit: people, cumulative
    {{ rate.name }}_numerator,
    -- {{ rate.denominator }}, where both it and {{ rate.numerator }} are known: sum it over
    -- articles of one day_number and position
    -- 中文：{{ rate.chinese_name }}的分母
    -- unit: people, cumulative
    {{ rate.name }}_denominator,
    -- Share of {{ rate.meaning }}, by the end of stat_date. NULL when the denominator is 0; above 1
    -- where WeChat's figures exceed each other. Never average it: divide sums by sums
    -- 中文：{{ rate.chinese_name }}
    -- unit: share, level
    {{ rate.name }},
    {% endfor %}
    -- The answer that last changed the row, see analytics.answer
    -- 中文：最近一次变更该行的应答编号
    raw_response_id,
    -- When one of its figures last changed: when the row was loaded, if none has
    -- 中文：最近一次变更时间
    changed_at,
    {{ the.original_title }},
    {{ the.final_reason }}
) AS
-- title and position are looked up last: of the ten articles that a question shows, not of all that
-- it sorts
SELECT
    account.appid,
    account.name AS account_name,
    fact.msgid,
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
    fact.publication_date,
    extract(ISODOW FROM fact.publication_date)::smallint AS publication_weekday,
    fact.stat_date,
    fact.stat_date - fact.publication_date + 1 AS day_number,
    {{ days_before() | indent }} AS days_spanned,
    NOT EXISTS (
        SELECT FROM weixin.{{ dataset.fact }} AS later
        WHERE
            later.appid = fact.appid
            AND later.msgid = fact.msgid
            AND later.stat_date > fact.stat_date
    ) AS is_latest,
    {{ is_final(dataset, "fact") }} AS is_final,
    coalesce(
        least(
            {% for metric in dataset.totals %}
            {{ since_before(metric.name, dataset.fact) | indent(12) }}{{ "," if not loop.last }}
            {% endfor %}
        ) < 0,
        FALSE
    ) AS has_fall,
    {% for metric in dataset.totals %}
    fact.{{ metric.name }},
    {{ since_before(metric.name, dataset.fact) | indent }} AS {{ metric.name }}_increment,
    {% endfor %}
    {% for metric in dataset.metrics if metric not in dataset.totals %}
    fact.{{ metric.name }},
    {% endfor %}
    {% for rate in dataset.rates %}
    CASE WHEN fact.{{ rate.denominator }} IS NOT NULL THEN fact.{{ rate.numerator }} END
        AS {{ rate.name }}_numerator,
    CASE WHEN fact.{{ rate.numerator }} IS NOT NULL THEN fact.{{ rate.denominator }} END
        AS {{ rate.name }}_denominator,
    fact.{{ rate.numerator }}::numeric / nullif(fact.{{ rate.denominator }}, 0)
        AS {{ rate.name }},
    {% endfor %}
    fact.raw_response_id,
    fact.changed_at,
    (
        SELECT {{ original_title("article") }}
        FROM weixin.dim_article AS article
        WHERE article.appid = fact.appid AND article.msgid = fact.msgid
    ) AS original_title,
    {{ final_reason(dataset, "fact") }} AS final_reason
FROM weixin.dim_account AS account
INNER JOIN weixin.{{ dataset.fact }} AS fact
    ON account.appid = fact.appid
{{ row_before(dataset.fact) }}
LEFT JOIN weixin.coverage AS pair
    ON
        fact.appid = pair.appid
        AND fact.publication_date = pair.day
        AND pair.dataset = '{{ dataset.name }}'
