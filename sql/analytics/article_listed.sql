-- One row per article of an account that either endpoint has listed, even without figures yet. It
-- has the article's attributes; figures are in analytics.article_7d and analytics.article_30d
-- 中文：每个公众号、任一接口列出过的每篇文章一行：除数据以外的信息
-- key: appid, msgid
-- joins: appid to account; appid, message_id to message; publication_date to calendar
{% from "analytics/macros.jinja" import is_listed, original_title %}
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.article_listed (
    {{ shared.columns("appid account_name msgid message_id position") }},
    {{ shared.columns("title original_title publication_date") }},
    {% for dataset in datasets %}
    -- Whether the newest ready answer of {{ dataset.name }} for its publication day lists it: a
    -- deleted article is no longer listed. NULL if that endpoint never listed it
    -- 中文：是否仍在最新数据中（{{ dataset.name }}）
    is_listed{{ dataset.suffix }},
    {% endfor %}
    {{ shared.url }}
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    article.msgid,
    article.message_id,
    article.position,
    article.title,
    {{ original_title("article") }} AS original_title,
    article.publication_date,
    {% for dataset in datasets %}
    {{ is_listed("article", dataset) }} AS is_listed{{ dataset.suffix }},
    {% endfor %}
    coalesce(article.url, article.content_url) AS url
FROM weixin.dim_article AS article
INNER JOIN weixin.dim_account AS account
    ON article.appid = account.appid
