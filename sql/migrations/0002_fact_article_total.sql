-- migrate:up

CREATE TABLE weixin.fact_article_total (
    appid text NOT NULL,
    msgid text NOT NULL,
    stat_date date NOT NULL,
    publication_date date NOT NULL,
    target_user bigint,
    int_page_read_user bigint,
    int_page_read_count bigint,
    ori_page_read_user bigint,
    ori_page_read_count bigint,
    share_user bigint,
    share_count bigint,
    add_to_fav_user bigint,
    add_to_fav_count bigint,
    int_page_from_session_read_user bigint,
    int_page_from_session_read_count bigint,
    int_page_from_hist_msg_read_user bigint,
    int_page_from_hist_msg_read_count bigint,
    int_page_from_feed_read_user bigint,
    int_page_from_feed_read_count bigint,
    int_page_from_friends_read_user bigint,
    int_page_from_friends_read_count bigint,
    int_page_from_other_read_user bigint,
    int_page_from_other_read_count bigint,
    feed_share_from_session_user bigint,
    feed_share_from_session_cnt bigint,
    feed_share_from_feed_user bigint,
    feed_share_from_feed_cnt bigint,
    feed_share_from_other_user bigint,
    feed_share_from_other_cnt bigint,
    int_page_from_kanyikan_read_user bigint,
    int_page_from_kanyikan_read_count bigint,
    int_page_from_souyisou_read_user bigint,
    int_page_from_souyisou_read_count bigint,
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (appid, msgid, stat_date)
);
CREATE INDEX fact_article_total_publication_date
ON weixin.fact_article_total (appid, publication_date);

COMMENT ON TABLE weixin.fact_article_total IS 'One row per account, article and day: totals from publication to the end of stat_date (datacube/getarticletotal). Totals are cumulative: never add up rows of one article';
COMMENT ON COLUMN weixin.fact_article_total.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.fact_article_total.msgid IS 'The article, see dim_article';
COMMENT ON COLUMN weixin.fact_article_total.stat_date IS 'The day (Beijing) at the end of which the totals were taken';
COMMENT ON COLUMN weixin.fact_article_total.publication_date IS 'The publication day (Beijing) whose answer contained the row: its ref_date';
COMMENT ON COLUMN weixin.fact_article_total.target_user IS 'People the message was sent to: a level, not a running total; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_read_user IS 'People who read the article page, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_read_count IS 'Reads of the article page, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.ori_page_read_user IS 'People who followed "read the original", total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.ori_page_read_count IS 'Visits by "read the original", total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.share_user IS 'People who shared it, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.share_count IS 'Shares, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.add_to_fav_user IS 'People who added it to their favourites, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.add_to_fav_count IS 'Additions to favourites, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_session_read_user IS 'People who read it from the account''s own chat, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_session_read_count IS 'Reads from the account''s own chat, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_hist_msg_read_user IS 'People who read it from the list of past messages, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_hist_msg_read_count IS 'Reads from the list of past messages, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_feed_read_user IS 'People who read it from Moments, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_feed_read_count IS 'Reads from Moments, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_friends_read_user IS 'People who read it from a friend''s chat, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_friends_read_count IS 'Reads from a friend''s chat, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_other_read_user IS 'People who read it from elsewhere, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_other_read_count IS 'Reads from elsewhere, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.feed_share_from_session_user IS 'People who shared it to Moments from the account''s own chat, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.feed_share_from_session_cnt IS 'Shares to Moments from the account''s own chat, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.feed_share_from_feed_user IS 'People who shared it to Moments from Moments, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.feed_share_from_feed_cnt IS 'Shares to Moments from Moments, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.feed_share_from_other_user IS 'People who shared it to Moments from elsewhere, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.feed_share_from_other_cnt IS 'Shares to Moments from elsewhere, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_kanyikan_read_user IS 'People who read it from Top Stories (kanyikan), total so far; WeChat often leaves it out, then null';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_kanyikan_read_count IS 'Reads from Top Stories (kanyikan), total so far; WeChat often leaves it out, then null';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_souyisou_read_user IS 'People who read it from Search (souyisou), total so far; WeChat often leaves it out, then null';
COMMENT ON COLUMN weixin.fact_article_total.int_page_from_souyisou_read_count IS 'Reads from Search (souyisou), total so far; WeChat often leaves it out, then null';
COMMENT ON COLUMN weixin.fact_article_total.extra IS 'Metrics the pipeline does not know, by WeChat''s name';
COMMENT ON COLUMN weixin.fact_article_total.raw_response_id IS 'The answer that last changed the row, see raw_response';
COMMENT ON COLUMN weixin.fact_article_total.fetched_at IS 'Fetch time of the answer that last changed the row';
COMMENT ON COLUMN weixin.fact_article_total.loaded_at IS 'When the row was first loaded; later changes leave it';
COMMENT ON COLUMN weixin.fact_article_total.changed_at IS 'When the values last changed';

-- its rows are appended in the order of replaced_at, and found by that or by their key
CREATE TABLE weixin.fact_article_total_history (
    LIKE weixin.fact_article_total INCLUDING COMMENTS,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    changed_metrics text[] NOT NULL,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, msgid, stat_date, history_id)
);
CREATE INDEX fact_article_total_history_replaced_at
ON weixin.fact_article_total_history USING brin (replaced_at);

COMMENT ON TABLE weixin.fact_article_total_history IS 'One row per row of fact_article_total that was replaced because its values changed, as it was from changed_at until replaced_at. It was replaced by the row of the same key with the next history_id or, if there is none, by the one in fact_article_total';
COMMENT ON COLUMN weixin.fact_article_total_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_article_total_history.cause IS 'What replaced it. wechat: an answer; replay: the fact was rebuilt from the kept answers, which a newer parser read differently, or somebody had changed the fact';
COMMENT ON COLUMN weixin.fact_article_total_history.changed_metrics IS 'Names of the metrics that have other values in the row that replaced it; empty when only extra differs';
COMMENT ON COLUMN weixin.fact_article_total_history.history_id IS 'Surrogate key: the versions of a row in the order in which they were replaced';

-- migrate:down

DROP TABLE weixin.fact_article_total_history;
DROP TABLE weixin.fact_article_total;
