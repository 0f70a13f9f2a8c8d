-- One row per message, that is, group of articles sent or published together, which either endpoint
-- listed: how many articles it has, how many people it was sent to, and how many opened it. Its
-- articles are in analytics.article_listed, by message_id
-- 中文：每个公众号、每条群发消息一行：文章数、送达人数、打开人数
-- key: appid, message_id
-- joins: appid to account; publication_date to calendar
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.message (
    {{ the.appid }},
    {{ the.account_name }},
    -- WeChat's id of the message, unique within its account
    -- 中文：群发消息 ID
    message_id,
    -- Day of publication of its first article (Beijing)
    -- 中文：发布日期（北京时间）
    publication_date,
    {{ the.publication_weekday }},
    -- Title of its first article, as last given
    -- 中文：首篇文章标题
    title,
    -- Whether followers were notified; NULL unless article_total_detail has said it
    -- 中文：是否通知粉丝
    is_notified,
    -- Its articles
    -- 中文：文章数
    -- unit: articles, additive
    article_count,
    -- People the message was sent to; NULL when article_total did not say. In the views of
    -- articles it is repeated for each article of the message
    -- 中文：送达人数
    -- unit: people, additive
    target_user,
    -- People who opened its first article from the account's chat, from publication to the last day
    -- that has it; NULL when article_total did not say
    -- 中文：首篇打开人数（自发布起累计）
    -- unit: people, cumulative
    opened_user,
    -- opened_user / target_user. Over several messages divide sums by sums
    -- 中文：公众号会话打开率
    -- unit: share, level
    session_open_rate,
    -- Whether opened_user has stopped growing: see is_final of analytics.article_7d
    -- 中文：打开人数是否已定稿
    is_final
) AS
SELECT
    account.appid,
    account.name AS account_name,
    message.message_id,
    message.publication_date,
    extract(ISODOW FROM message.publication_date)::smallint AS publication_weekday,
    message.title,
    message.is_notified,
    message.article_count,
    reached.target_user,
    reached.opened_user,
    reached.opened_user::numeric / nullif(reached.target_user, 0) AS session_open_rate,
    coalesce(reached.is_final, FALSE) AS is_final
FROM weixin.dim_account AS account
CROSS JOIN
    LATERAL (
        SELECT
            article.message_id,
            (array_agg(article.publication_date ORDER BY article.position))[1]
                AS publication_date,
            (array_agg(article.title ORDER BY article.position))[1] AS title,
            bool_or(article.publish_type = 0) AS is_notified,
            count(*) AS article_count,
            array_agg(article.msgid) AS msgids
        FROM weixin.dim_article AS article
        WHERE article.appid = account.appid AND article.message_id IS NOT NULL
        GROUP BY article.message_id
    ) AS message
CROSS JOIN
    LATERAL (
        SELECT
            max(total.target_user) AS target_user,
            max(total.int_page_from_session_read_user) FILTER (WHERE total.position = 1)
                AS opened_user,
            bool_or(total.is_final) FILTER (WHERE total.position = 1) AS is_final
        FROM analytics.article_7d AS total
        WHERE total.appid = account.appid AND total.msgid = any(message.msgids)
    ) AS reached
