-- One row per article and stat_date of which both endpoints gave a row: what each counted by the
-- end of the same day. They count by different rules (article page against all ways of reading), and
-- their latest totals are of different age: this is the only fair comparison
-- 中文：每篇文章、每个统计日一行：两个接口在同一天的累计值对比
-- key: appid, msgid, stat_date
{% from "analytics/macros.jinja" import total %}
{% set old = datasets | selectattr("successor") | first %}
{% set new = datasets | selectattr("name", "equalto", old.successor) | first %}
CREATE VIEW analytics.endpoint_comparison (
    -- The account
    -- 中文：公众号 AppID
    appid,
    -- What people call the account
    -- 中文：公众号名称
    account_name,
    -- The article, see analytics.article
    -- 中文：文章 ID
    msgid,
    -- Title, as last given
    -- 中文：标题
    title,
    -- Day of publication (Beijing)
    -- 中文：发布日期（北京时间）
    publication_date,
    -- The day (Beijing) at whose end the totals stood
    -- 中文：统计日期（北京时间）
    stat_date,
    {% for metric, nearest in old.nearest_in(new) %}
    {{ total(metric, "the end of stat_date") }}
    {{ metric.name }},
    {{ total(nearest, "the end of stat_date") }}
    {{ new.prefix }}{{ nearest.name }},
    {% endfor %}
    -- Day after publication, the publication day being 1
    -- 中文：发布后第几天（发布当天为 1）
    -- unit: days, level
    day_number
) AS
SELECT
    account.appid,
    account.name AS account_name,
    old.msgid,
    article.title,
    old.publication_date,
    old.stat_date,
    {% for metric, nearest in old.nearest_in(new) %}
    old.{{ metric.name }},
    new.{{ nearest.name }} AS {{ new.prefix }}{{ nearest.name }},
    {% endfor %}
    old.stat_date - old.publication_date + 1 AS day_number
FROM weixin.dim_account AS account
INNER JOIN weixin.{{ old.fact }} AS old
    ON account.appid = old.appid
INNER JOIN weixin.{{ new.fact }} AS new
    ON old.appid = new.appid AND old.msgid = new.msgid AND old.stat_date = new.stat_date
LEFT JOIN weixin.dim_article AS article
    ON old.appid = article.appid AND old.msgid = article.msgid
