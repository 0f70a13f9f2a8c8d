-- migrate:up

CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'What analysts query: views over the facts, each with its grain and every column described';

CREATE VIEW analytics.article_daily AS
SELECT
    appid,
    msgid,
    publication_date,
    stat_date,
    days_spanned,
    coalesce(
        least(
            int_page_read_user,
            int_page_read_count,
            ori_page_read_user,
            ori_page_read_count,
            share_user,
            share_count,
            add_to_fav_user,
            add_to_fav_count,
            int_page_from_session_read_user,
            int_page_from_session_read_count,
            int_page_from_hist_msg_read_user,
            int_page_from_hist_msg_read_count,
            int_page_from_feed_read_user,
            int_page_from_feed_read_count,
            int_page_from_friends_read_user,
            int_page_from_friends_read_count,
            int_page_from_other_read_user,
            int_page_from_other_read_count,
            feed_share_from_session_user,
            feed_share_from_session_cnt,
            feed_share_from_feed_user,
            feed_share_from_feed_cnt,
            feed_share_from_other_user,
            feed_share_from_other_cnt,
            int_page_from_kanyikan_read_user,
            int_page_from_kanyikan_read_count,
            int_page_from_souyisou_read_user,
            int_page_from_souyisou_read_count
        ) < 0,
        FALSE
    ) AS is_restated,
    int_page_read_user,
    int_page_read_count,
    ori_page_read_user,
    ori_page_read_count,
    share_user,
    share_count,
    add_to_fav_user,
    add_to_fav_count,
    int_page_from_session_read_user,
    int_page_from_session_read_count,
    int_page_from_hist_msg_read_user,
    int_page_from_hist_msg_read_count,
    int_page_from_feed_read_user,
    int_page_from_feed_read_count,
    int_page_from_friends_read_user,
    int_page_from_friends_read_count,
    int_page_from_other_read_user,
    int_page_from_other_read_count,
    feed_share_from_session_user,
    feed_share_from_session_cnt,
    feed_share_from_feed_user,
    feed_share_from_feed_cnt,
    feed_share_from_other_user,
    feed_share_from_other_cnt,
    int_page_from_kanyikan_read_user,
    int_page_from_kanyikan_read_count,
    int_page_from_souyisou_read_user,
    int_page_from_souyisou_read_count,
    target_user
FROM (
    SELECT
        appid,
        msgid,
        publication_date,
        stat_date,
        stat_date - coalesce(max(stat_date) OVER earlier, publication_date - 1) AS days_spanned,
        int_page_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_read_user])
                FILTER (WHERE int_page_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_read_user,
        int_page_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_read_count])
                FILTER (WHERE int_page_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_read_count,
        ori_page_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', ori_page_read_user])
                FILTER (WHERE ori_page_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS ori_page_read_user,
        ori_page_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', ori_page_read_count])
                FILTER (WHERE ori_page_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS ori_page_read_count,
        share_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', share_user])
                FILTER (WHERE share_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS share_user,
        share_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', share_count])
                FILTER (WHERE share_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS share_count,
        add_to_fav_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', add_to_fav_user])
                FILTER (WHERE add_to_fav_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS add_to_fav_user,
        add_to_fav_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', add_to_fav_count])
                FILTER (WHERE add_to_fav_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS add_to_fav_count,
        int_page_from_session_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_session_read_user])
                FILTER (WHERE int_page_from_session_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_session_read_user,
        int_page_from_session_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_session_read_count])
                FILTER (WHERE int_page_from_session_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_session_read_count,
        int_page_from_hist_msg_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_hist_msg_read_user])
                FILTER (WHERE int_page_from_hist_msg_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_hist_msg_read_user,
        int_page_from_hist_msg_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_hist_msg_read_count])
                FILTER (WHERE int_page_from_hist_msg_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_hist_msg_read_count,
        int_page_from_feed_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_feed_read_user])
                FILTER (WHERE int_page_from_feed_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_feed_read_user,
        int_page_from_feed_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_feed_read_count])
                FILTER (WHERE int_page_from_feed_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_feed_read_count,
        int_page_from_friends_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_friends_read_user])
                FILTER (WHERE int_page_from_friends_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_friends_read_user,
        int_page_from_friends_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_friends_read_count])
                FILTER (WHERE int_page_from_friends_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_friends_read_count,
        int_page_from_other_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_other_read_user])
                FILTER (WHERE int_page_from_other_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_other_read_user,
        int_page_from_other_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_other_read_count])
                FILTER (WHERE int_page_from_other_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_other_read_count,
        feed_share_from_session_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', feed_share_from_session_user])
                FILTER (WHERE feed_share_from_session_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS feed_share_from_session_user,
        feed_share_from_session_cnt - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', feed_share_from_session_cnt])
                FILTER (WHERE feed_share_from_session_cnt IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS feed_share_from_session_cnt,
        feed_share_from_feed_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', feed_share_from_feed_user])
                FILTER (WHERE feed_share_from_feed_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS feed_share_from_feed_user,
        feed_share_from_feed_cnt - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', feed_share_from_feed_cnt])
                FILTER (WHERE feed_share_from_feed_cnt IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS feed_share_from_feed_cnt,
        feed_share_from_other_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', feed_share_from_other_user])
                FILTER (WHERE feed_share_from_other_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS feed_share_from_other_user,
        feed_share_from_other_cnt - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', feed_share_from_other_cnt])
                FILTER (WHERE feed_share_from_other_cnt IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS feed_share_from_other_cnt,
        int_page_from_kanyikan_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_kanyikan_read_user])
                FILTER (WHERE int_page_from_kanyikan_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_kanyikan_read_user,
        int_page_from_kanyikan_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_kanyikan_read_count])
                FILTER (WHERE int_page_from_kanyikan_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_kanyikan_read_count,
        int_page_from_souyisou_read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_souyisou_read_user])
                FILTER (WHERE int_page_from_souyisou_read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_souyisou_read_user,
        int_page_from_souyisou_read_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', int_page_from_souyisou_read_count])
                FILTER (WHERE int_page_from_souyisou_read_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS int_page_from_souyisou_read_count,
        target_user
    FROM weixin.fact_article_total
    WINDOW earlier AS (
        PARTITION BY appid, msgid, publication_date
        ORDER BY stat_date
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
) AS increment;

COMMENT ON VIEW analytics.article_daily IS 'One row per article and stat_date of article_total: what came since the row before. The increments of an article add up to its latest totals. Ask here instead of subtracting running totals';
COMMENT ON COLUMN analytics.article_daily.appid IS 'The account';
COMMENT ON COLUMN analytics.article_daily.msgid IS 'The article, see analytics.article';
COMMENT ON COLUMN analytics.article_daily.publication_date IS 'Day of publication (Beijing)';
COMMENT ON COLUMN analytics.article_daily.stat_date IS 'The day (Beijing) at whose end the total stood; a day WeChat gave no row for has none here';
COMMENT ON COLUMN analytics.article_daily.days_spanned IS 'Days the increments cover: since the row before, or since publication for the first row. The increment of a metric that the row before left out reaches back to the last row that held it';
COMMENT ON COLUMN analytics.article_daily.is_restated IS 'Whether a total fell, so that an increment is negative';
COMMENT ON COLUMN analytics.article_daily.int_page_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.ori_page_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.ori_page_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.share_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.share_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.add_to_fav_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.add_to_fav_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.int_page_from_session_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_from_session_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.int_page_from_hist_msg_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_from_hist_msg_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.int_page_from_feed_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_from_feed_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.int_page_from_friends_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_from_friends_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.int_page_from_other_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_from_other_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.feed_share_from_session_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.feed_share_from_session_cnt IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.feed_share_from_feed_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.feed_share_from_feed_cnt IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.feed_share_from_other_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.feed_share_from_other_cnt IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.int_page_from_kanyikan_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_from_kanyikan_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.int_page_from_souyisou_read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily.int_page_from_souyisou_read_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily.target_user IS 'As the row has it: a level, with no increment';

CREATE VIEW analytics.article_daily_detail AS
SELECT
    appid,
    msgid,
    publication_date,
    stat_date,
    days_spanned,
    coalesce(
        least(
            read_user,
            share_user,
            zaikan_user,
            like_user,
            comment_count,
            collection_user,
            praise_money,
            read_subscribe_user
        ) < 0,
        FALSE
    ) AS is_restated,
    read_user,
    share_user,
    zaikan_user,
    like_user,
    comment_count,
    collection_user,
    praise_money,
    read_subscribe_user,
    read_delivery_rate,
    read_finish_rate,
    read_avg_activetime,
    read_jump_position
FROM (
    SELECT
        appid,
        msgid,
        publication_date,
        stat_date,
        stat_date - coalesce(max(stat_date) OVER earlier, publication_date - 1) AS days_spanned,
        read_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', read_user])
                FILTER (WHERE read_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS read_user,
        share_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', share_user])
                FILTER (WHERE share_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS share_user,
        zaikan_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', zaikan_user])
                FILTER (WHERE zaikan_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS zaikan_user,
        like_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', like_user])
                FILTER (WHERE like_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS like_user,
        comment_count - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', comment_count])
                FILTER (WHERE comment_count IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS comment_count,
        collection_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', collection_user])
                FILTER (WHERE collection_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS collection_user,
        praise_money - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', praise_money])
                FILTER (WHERE praise_money IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS praise_money,
        read_subscribe_user - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', read_subscribe_user])
                FILTER (WHERE read_subscribe_user IS NOT NULL) OVER earlier
            )[2],
            0
        ) AS read_subscribe_user,
        read_delivery_rate,
        read_finish_rate,
        read_avg_activetime,
        read_jump_position
    FROM weixin.fact_article_total_detail
    WINDOW earlier AS (
        PARTITION BY appid, msgid, publication_date
        ORDER BY stat_date
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
) AS increment;

COMMENT ON VIEW analytics.article_daily_detail IS 'One row per article and stat_date of article_total_detail: what came since the row before. The increments of an article add up to its latest totals. Ask here instead of subtracting running totals';
COMMENT ON COLUMN analytics.article_daily_detail.appid IS 'The account';
COMMENT ON COLUMN analytics.article_daily_detail.msgid IS 'The article, see analytics.article';
COMMENT ON COLUMN analytics.article_daily_detail.publication_date IS 'Day of publication (Beijing)';
COMMENT ON COLUMN analytics.article_daily_detail.stat_date IS 'The day (Beijing) at whose end the total stood; a day WeChat gave no row for has none here';
COMMENT ON COLUMN analytics.article_daily_detail.days_spanned IS 'Days the increments cover: since the row before, or since publication for the first row. The increment of a metric that the row before left out reaches back to the last row that held it';
COMMENT ON COLUMN analytics.article_daily_detail.is_restated IS 'Whether a total fell, so that an increment is negative';
COMMENT ON COLUMN analytics.article_daily_detail.read_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily_detail.share_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily_detail.zaikan_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily_detail.like_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily_detail.comment_count IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily_detail.collection_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily_detail.praise_money IS 'Increment: total minus its last known earlier value (the whole total where there is none)';
COMMENT ON COLUMN analytics.article_daily_detail.read_subscribe_user IS 'Increment: total minus its last known earlier value (the whole total where there is none); additional people, each counted once per article';
COMMENT ON COLUMN analytics.article_daily_detail.read_delivery_rate IS 'Level at the end of stat_date, no increment: share of those it was delivered to who read it';
COMMENT ON COLUMN analytics.article_daily_detail.read_finish_rate IS 'Level at the end of stat_date, no increment: share of readers who read to the end';
COMMENT ON COLUMN analytics.article_daily_detail.read_avg_activetime IS 'Level at the end of stat_date, no increment: minutes a reader stays on average';
COMMENT ON COLUMN analytics.article_daily_detail.read_jump_position IS 'Where readers left, as it came: a list of position and rate';

-- migrate:down

DROP VIEW analytics.article_daily_detail;
DROP VIEW analytics.article_daily;
DROP SCHEMA analytics;
