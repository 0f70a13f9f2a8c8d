-- migrate:up

CREATE VIEW analytics.article AS
WITH total AS (
    SELECT
        appid,
        msgid,
        max(stat_date) FILTER (
            WHERE day_number > 0 AND stat_date = publication_date + day_number - 1
        ) AS complete_through_date,
        (
            max(ARRAY[stat_date - date '2000-01-01', target_user]) FILTER (
                WHERE target_user IS NOT NULL
            )
        )[2] AS target_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_read_user]) FILTER (
                WHERE int_page_read_user IS NOT NULL
            )
        )[2] AS int_page_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_read_count]) FILTER (
                WHERE int_page_read_count IS NOT NULL
            )
        )[2] AS int_page_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', ori_page_read_user]) FILTER (
                WHERE ori_page_read_user IS NOT NULL
            )
        )[2] AS ori_page_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', ori_page_read_count]) FILTER (
                WHERE ori_page_read_count IS NOT NULL
            )
        )[2] AS ori_page_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', share_user]) FILTER (
                WHERE share_user IS NOT NULL
            )
        )[2] AS share_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', share_count]) FILTER (
                WHERE share_count IS NOT NULL
            )
        )[2] AS share_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', add_to_fav_user]) FILTER (
                WHERE add_to_fav_user IS NOT NULL
            )
        )[2] AS add_to_fav_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', add_to_fav_count]) FILTER (
                WHERE add_to_fav_count IS NOT NULL
            )
        )[2] AS add_to_fav_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_session_read_user]) FILTER (
                WHERE int_page_from_session_read_user IS NOT NULL
            )
        )[2] AS int_page_from_session_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_session_read_count]) FILTER (
                WHERE int_page_from_session_read_count IS NOT NULL
            )
        )[2] AS int_page_from_session_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_hist_msg_read_user]) FILTER (
                WHERE int_page_from_hist_msg_read_user IS NOT NULL
            )
        )[2] AS int_page_from_hist_msg_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_hist_msg_read_count]) FILTER (
                WHERE int_page_from_hist_msg_read_count IS NOT NULL
            )
        )[2] AS int_page_from_hist_msg_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_feed_read_user]) FILTER (
                WHERE int_page_from_feed_read_user IS NOT NULL
            )
        )[2] AS int_page_from_feed_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_feed_read_count]) FILTER (
                WHERE int_page_from_feed_read_count IS NOT NULL
            )
        )[2] AS int_page_from_feed_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_friends_read_user]) FILTER (
                WHERE int_page_from_friends_read_user IS NOT NULL
            )
        )[2] AS int_page_from_friends_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_friends_read_count]) FILTER (
                WHERE int_page_from_friends_read_count IS NOT NULL
            )
        )[2] AS int_page_from_friends_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_other_read_user]) FILTER (
                WHERE int_page_from_other_read_user IS NOT NULL
            )
        )[2] AS int_page_from_other_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_other_read_count]) FILTER (
                WHERE int_page_from_other_read_count IS NOT NULL
            )
        )[2] AS int_page_from_other_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', feed_share_from_session_user]) FILTER (
                WHERE feed_share_from_session_user IS NOT NULL
            )
        )[2] AS feed_share_from_session_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', feed_share_from_session_cnt]) FILTER (
                WHERE feed_share_from_session_cnt IS NOT NULL
            )
        )[2] AS feed_share_from_session_cnt,
        (
            max(ARRAY[stat_date - date '2000-01-01', feed_share_from_feed_user]) FILTER (
                WHERE feed_share_from_feed_user IS NOT NULL
            )
        )[2] AS feed_share_from_feed_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', feed_share_from_feed_cnt]) FILTER (
                WHERE feed_share_from_feed_cnt IS NOT NULL
            )
        )[2] AS feed_share_from_feed_cnt,
        (
            max(ARRAY[stat_date - date '2000-01-01', feed_share_from_other_user]) FILTER (
                WHERE feed_share_from_other_user IS NOT NULL
            )
        )[2] AS feed_share_from_other_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', feed_share_from_other_cnt]) FILTER (
                WHERE feed_share_from_other_cnt IS NOT NULL
            )
        )[2] AS feed_share_from_other_cnt,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_kanyikan_read_user]) FILTER (
                WHERE int_page_from_kanyikan_read_user IS NOT NULL
            )
        )[2] AS int_page_from_kanyikan_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_kanyikan_read_count]) FILTER (
                WHERE int_page_from_kanyikan_read_count IS NOT NULL
            )
        )[2] AS int_page_from_kanyikan_read_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_souyisou_read_user]) FILTER (
                WHERE int_page_from_souyisou_read_user IS NOT NULL
            )
        )[2] AS int_page_from_souyisou_read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', int_page_from_souyisou_read_count]) FILTER (
                WHERE int_page_from_souyisou_read_count IS NOT NULL
            )
        )[2] AS int_page_from_souyisou_read_count
    FROM (
        SELECT
            *,
            (
                count(*) FILTER (WHERE stat_date >= publication_date) OVER (
                    PARTITION BY appid, msgid, publication_date ORDER BY stat_date
                )
            )::integer AS day_number
        FROM weixin.fact_article_total
    ) AS numbered
    GROUP BY appid, msgid
),

detail AS (
    SELECT
        appid,
        msgid,
        max(stat_date) FILTER (
            WHERE day_number > 0 AND stat_date = publication_date + day_number - 1
        ) AS complete_through_date,
        (
            max(ARRAY[stat_date - date '2000-01-01', read_user]) FILTER (
                WHERE read_user IS NOT NULL
            )
        )[2] AS read_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', share_user]) FILTER (
                WHERE share_user IS NOT NULL
            )
        )[2] AS share_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', zaikan_user]) FILTER (
                WHERE zaikan_user IS NOT NULL
            )
        )[2] AS zaikan_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', like_user]) FILTER (
                WHERE like_user IS NOT NULL
            )
        )[2] AS like_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', comment_count]) FILTER (
                WHERE comment_count IS NOT NULL
            )
        )[2] AS comment_count,
        (
            max(ARRAY[stat_date - date '2000-01-01', collection_user]) FILTER (
                WHERE collection_user IS NOT NULL
            )
        )[2] AS collection_user,
        (
            max(ARRAY[stat_date - date '2000-01-01', praise_money]) FILTER (
                WHERE praise_money IS NOT NULL
            )
        )[2] AS praise_money,
        (
            max(ARRAY[stat_date - date '2000-01-01', read_subscribe_user]) FILTER (
                WHERE read_subscribe_user IS NOT NULL
            )
        )[2] AS read_subscribe_user
    FROM (
        SELECT
            *,
            (
                count(*) FILTER (WHERE stat_date >= publication_date) OVER (
                    PARTITION BY appid, msgid, publication_date ORDER BY stat_date
                )
            )::integer AS day_number
        FROM weixin.fact_article_total_detail
    ) AS numbered
    GROUP BY appid, msgid
)

SELECT
    article.appid,
    account.name AS account_name,
    article.msgid,
    article.message_id,
    article.position,
    article.title,
    article.publication_date,
    extract(ISODOW FROM article.publication_date)::integer AS publication_weekday,
    coalesce(article.url, article.content_url) AS url,
    article.publish_type,
    total.target_user,
    total.int_page_read_user,
    total.int_page_read_count,
    total.ori_page_read_user,
    total.ori_page_read_count,
    total.share_user,
    total.share_count,
    total.add_to_fav_user,
    total.add_to_fav_count,
    total.int_page_from_session_read_user,
    total.int_page_from_session_read_count,
    total.int_page_from_hist_msg_read_user,
    total.int_page_from_hist_msg_read_count,
    total.int_page_from_feed_read_user,
    total.int_page_from_feed_read_count,
    total.int_page_from_friends_read_user,
    total.int_page_from_friends_read_count,
    total.int_page_from_other_read_user,
    total.int_page_from_other_read_count,
    total.feed_share_from_session_user,
    total.feed_share_from_session_cnt,
    total.feed_share_from_feed_user,
    total.feed_share_from_feed_cnt,
    total.feed_share_from_other_user,
    total.feed_share_from_other_cnt,
    total.int_page_from_kanyikan_read_user,
    total.int_page_from_kanyikan_read_count,
    total.int_page_from_souyisou_read_user,
    total.int_page_from_souyisou_read_count,
    total.complete_through_date,
    coalesce(total_coverage.is_final AND total.appid IS NOT NULL, FALSE) AS is_final,
    detail.read_user AS detail_read_user,
    detail.share_user AS detail_share_user,
    detail.zaikan_user AS detail_zaikan_user,
    detail.like_user AS detail_like_user,
    detail.comment_count AS detail_comment_count,
    detail.collection_user AS detail_collection_user,
    detail.praise_money AS detail_praise_money,
    detail.read_subscribe_user AS detail_read_subscribe_user,
    detail.complete_through_date AS detail_complete_through_date,
    coalesce(detail_coverage.is_final AND detail.appid IS NOT NULL, FALSE) AS detail_is_final,
    article.first_seen_at,
    article.last_seen_at
FROM weixin.dim_article AS article
LEFT JOIN weixin.dim_account AS account
    ON article.appid = account.appid
LEFT JOIN total
    ON article.appid = total.appid AND article.msgid = total.msgid
LEFT JOIN detail
    ON article.appid = detail.appid AND article.msgid = detail.msgid
LEFT JOIN weixin.coverage AS total_coverage
    ON
        article.appid = total_coverage.appid
        AND article.publication_date = total_coverage.publication_date
        AND total_coverage.dataset = 'article_total'
LEFT JOIN weixin.coverage AS detail_coverage
    ON
        article.appid = detail_coverage.appid
        AND article.publication_date = detail_coverage.publication_date
        AND detail_coverage.dataset = 'article_total_detail';

COMMENT ON VIEW analytics.article IS 'One row per article of an account, with its latest totals of both datasets side by side: they are counted differently, never add them';
COMMENT ON COLUMN analytics.article.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN analytics.article.account_name IS 'What people call the account';
COMMENT ON COLUMN analytics.article.msgid IS 'WeChat''s id of the article, unique within its account';
COMMENT ON COLUMN analytics.article.message_id IS 'The message the article was sent in';
COMMENT ON COLUMN analytics.article.position IS 'Its place in the message, from 1';
COMMENT ON COLUMN analytics.article.title IS 'Title';
COMMENT ON COLUMN analytics.article.publication_date IS 'Day of publication (Beijing)';
COMMENT ON COLUMN analytics.article.publication_weekday IS 'Weekday of publication: 1 Monday … 7 Sunday';
COMMENT ON COLUMN analytics.article.url IS 'Address, where WeChat gave one';
COMMENT ON COLUMN analytics.article.publish_type IS '0: followers were notified, 1: they were not; only article_total_detail tells, so null without it';
COMMENT ON COLUMN analytics.article.target_user IS 'People the message was sent to (article_total)';
COMMENT ON COLUMN analytics.article.int_page_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.ori_page_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.ori_page_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.share_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.share_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.add_to_fav_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.add_to_fav_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_session_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_session_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_hist_msg_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_hist_msg_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_feed_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_feed_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_friends_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_friends_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_other_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_other_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.feed_share_from_session_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.feed_share_from_session_cnt IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.feed_share_from_feed_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.feed_share_from_feed_cnt IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.feed_share_from_other_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.feed_share_from_other_cnt IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_kanyikan_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_kanyikan_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_souyisou_read_user IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.int_page_from_souyisou_read_count IS 'Latest known total (article_total)';
COMMENT ON COLUMN analytics.article.complete_through_date IS 'Last stat_date up to which every day since publication has a row (article_total); null when the publication day has none';
COMMENT ON COLUMN analytics.article.is_final IS 'Whether the totals have stopped growing (article_total); false when there are none';
COMMENT ON COLUMN analytics.article.detail_read_user IS 'Latest known total of read_user (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_share_user IS 'Latest known total of share_user (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_zaikan_user IS 'Latest known total of zaikan_user (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_like_user IS 'Latest known total of like_user (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_comment_count IS 'Latest known total of comment_count (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_collection_user IS 'Latest known total of collection_user (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_praise_money IS 'Latest known total of praise_money (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_read_subscribe_user IS 'Latest known total of read_subscribe_user (article_total_detail)';
COMMENT ON COLUMN analytics.article.detail_complete_through_date IS 'As complete_through_date, for article_total_detail';
COMMENT ON COLUMN analytics.article.detail_is_final IS 'As is_final, for article_total_detail';
COMMENT ON COLUMN analytics.article.first_seen_at IS 'Fetch time of the earliest answer that held it';
COMMENT ON COLUMN analytics.article.last_seen_at IS 'Fetch time of the newest answer that held it';

-- migrate:down

DROP VIEW analytics.article;
