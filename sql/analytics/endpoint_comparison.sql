-- One row per article and stat_date of which both endpoints gave a row: what each counted by the
-- end of the same day. They count by different rules (article page against all ways of reading),
-- and their latest totals are of different age: this is the only fair comparison
-- 中文：每篇文章、每个统计日一行：两个接口在同一天的累计值对比
-- key: appid, msgid, stat_date
{% from "analytics/macros.jinja" import original_title, total %}
{% set old = datasets | selectattr("successor") | first %}
{% set new = datasets | selectattr("name", "equalto", old.successor) | first %}
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.endpoint_comparison (
    {{ the.appid }},
    {{ the.account_name }},
    {{ the.msgid }},
    {{ the.title }},
    {{ the.original_title }},
    {{ the.publication_date }},
    {{ the.stat_date }},
    {% for metric in old.metrics if metric.nearest %}
    {% set nearest = new.metrics | selectattr("name", "equalto", metric.nearest) | first %}
    {{ total(metric, "the end of stat_date, as " ~ old.name ~ " counts", "did not give it") }}
    {{ metric.name }},
    {{ total(nearest, "the end of stat_date, as " ~ new.name ~ " counts", "did not give it") }}
    {{ new.prefix }}{{ nearest.name }},
    {% endfor %}
    {{ the.day_number }}
) AS
SELECT
    account.appid,
    account.name AS account_name,
    old.msgid,
    article.title,
    {{ original_title("article") }} AS original_title,
    old.publication_date,
    old.stat_date,
    {% for metric in old.metrics if metric.nearest %}
    old.{{ metric.name }},
    new.{{ metric.nearest }} AS {{ new.prefix }}{{ metric.nearest }},
    {% endfor %}
    old.stat_date - old.publication_date + 1 AS day_number
FROM weixin.dim_account AS account
INNER JOIN weixin.{{ old.fact }} AS old
    ON account.appid = old.appid
INNER JOIN weixin.{{ new.fact }} AS new
    ON old.appid = new.appid AND old.msgid = new.msgid AND old.stat_date = new.stat_date
LEFT JOIN weixin.dim_article AS article
    ON old.appid = article.appid AND old.msgid = article.msgid
-- an account that has only one endpoint's rows is left at once, not after all of them
WHERE
    (
        SELECT TRUE
        FROM weixin.{{ old.fact }} AS its
        WHERE its.appid = account.appid
        LIMIT 1 -- noqa: AM09
    )
    AND (
        SELECT TRUE
        FROM weixin.{{ new.fact }} AS its
        WHERE its.appid = account.appid
        LIMIT 1 -- noqa: AM09
    )
