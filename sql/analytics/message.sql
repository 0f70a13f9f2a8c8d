-- One row per message, that is, group of articles sent or published together, which either endpoint
-- listed: how many people received and opened it, and for each endpoint the sums over its articles
-- that have figures. A person who reads two of the articles counts twice in these sums. The
-- articles are in analytics.article_listed, by message_id
-- 中文：每个公众号、每条群发消息一行：文章数、送达人数、打开人数，及各接口的文章合计
-- key: appid, message_id
-- joins: appid to account; publication_date to calendar
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.message (
    {{ shared.appid }},
    {{ shared.account_name }},
    -- WeChat's id of the message, unique within its account
    -- 中文：群发消息 ID
    message_id,
    -- Day of publication of its first article (Beijing)
    -- 中文：发布日期（北京时间）
    publication_date,
    -- The newest title of its first article
    -- 中文：首篇文章标题
    title,
    -- Its articles
    -- 中文：文章数
    -- unit: articles, additive
    article_count,
    -- People the message was sent to; NULL when getarticletotal did not give the number. The views
    -- of articles repeat the number for each article of the message
    -- 中文：送达人数
    -- unit: people, additive
    target_user,
    -- The number of articles of which target_user is: article_count where getarticletotal gave
    -- target_user, else 0. Its sum says of how many articles a sum of target_user is
    -- 中文：送达人数所含文章数
    -- unit: articles, additive
    target_user_articles,
    -- People who opened its first article from the account's chat, from publication to the last day
    -- with a value; NULL when getarticletotal did not give one. The open rate is
    -- opened_user / target_user
    -- 中文：首篇打开人数（自发布起累计）
    -- unit: people, cumulative
    opened_user,
    {% for dataset in datasets %}
    -- The number of articles in the sum readers{{ dataset.suffix }}: those for which
    -- {{ dataset.endpoint }} gave readers. Compare it with article_count
    -- 中文：合计所含文章数（{{ dataset.endpoint }}）
    -- unit: articles, additive
    article_count{{ dataset.suffix }},
    -- Readers of these articles, from publication to the last day that has them
    -- 中文：各篇阅读人数之和（{{ dataset.endpoint }}，自发布起累计）
    -- unit: people, cumulative
    readers{{ dataset.suffix }},
    -- Sharers of these articles, from publication to the last day that has them
    -- 中文：各篇分享人数之和（{{ dataset.endpoint }}，自发布起累计）
    -- unit: people, cumulative
    sharers{{ dataset.suffix }},
    -- Whether the sums have stopped growing: the totals of all its articles are final, see is_final
    -- of analytics.article{{ dataset.suffix }}
    -- 中文：合计是否已定稿（{{ dataset.endpoint }}）
    is_final{{ dataset.suffix }},
    {% endfor %}
    -- Whether followers were notified; NULL unless getarticletotaldetail gave this
    -- 中文：是否通知粉丝
    is_notified
) AS
SELECT
    account.appid,
    account.unique_name AS account_name,
    message.message_id,
    message.publication_date,
    message.title,
    message.article_count,
    sums_7d.target_user,
    CASE WHEN sums_7d.target_user IS NULL THEN 0 ELSE message.article_count END
        AS target_user_articles,
    sums_7d.opened_user,
    {% for dataset in datasets %}
    coalesce(sums{{ dataset.suffix }}.article_count, 0) AS article_count{{ dataset.suffix }},
    sums{{ dataset.suffix }}.readers AS readers{{ dataset.suffix }},
    sums{{ dataset.suffix }}.sharers AS sharers{{ dataset.suffix }},
    coalesce(sums{{ dataset.suffix }}.final_count = message.article_count, FALSE)
        AS is_final{{ dataset.suffix }},
    {% endfor %}
    message.is_notified
FROM weixin.dim_account AS account
INNER JOIN (
    SELECT
        article.appid,
        article.message_id,
        (array_agg(article.publication_date ORDER BY article.position))[1] AS publication_date,
        (array_agg(article.title ORDER BY article.position))[1] AS title,
        bool_or(article.publish_type = 0) AS is_notified,
        count(*) AS article_count
    FROM weixin.dim_article AS article
    WHERE article.message_id IS NOT NULL
    GROUP BY article.appid, article.message_id
) AS message
    ON account.appid = message.appid
{% for dataset in datasets %}
LEFT JOIN (
    SELECT
        total.appid,
        total.message_id,
        {% if loop.first %}
        max(total.target_user) AS target_user,
        max(total.int_page_from_session_read_user) FILTER (WHERE total.position = 1)
            AS opened_user,
        {% endif %}
        count(total.readers) AS article_count,
        sum(total.readers) AS readers,
        sum(total.sharers) AS sharers,
        count(*) FILTER (WHERE total.is_final) AS final_count
    FROM analytics.article{{ dataset.suffix }} AS total
    WHERE total.message_id IS NOT NULL
    GROUP BY total.appid, total.message_id
) AS sums{{ dataset.suffix }}
    ON
        message.appid = sums{{ dataset.suffix }}.appid
        AND message.message_id = sums{{ dataset.suffix }}.message_id
{% endfor %}
