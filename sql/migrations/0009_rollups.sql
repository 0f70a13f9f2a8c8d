-- migrate:up

-- What readers would otherwise work out anew for every question: see sql/README.md, "Rollups".
CREATE TABLE weixin.latest_article_total (
    appid text NOT NULL,
    msgid text NOT NULL,
    publication_date date NOT NULL,
    stat_date date NOT NULL,
    complete_through_date date,
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
    PRIMARY KEY (appid, msgid)
);
-- msgids repeat between accounts: without it a planner takes the articles for a few
CREATE STATISTICS weixin.latest_article_total_key (NDISTINCT)
ON appid, msgid FROM weixin.latest_article_total;
CREATE TABLE weixin.account_day_article_total (
    appid text NOT NULL,
    calendar_date date NOT NULL,
    articles_lacking bigint NOT NULL DEFAULT 0,
    is_covered boolean NOT NULL DEFAULT FALSE,
    row_count bigint NOT NULL DEFAULT 0,
    articles_reported bigint NOT NULL DEFAULT 0,
    most_days_spanned integer,
    is_falling boolean NOT NULL DEFAULT FALSE,
    is_spanned boolean NOT NULL DEFAULT FALSE,
    is_without_headline boolean NOT NULL DEFAULT FALSE,
    int_page_read_user_increment numeric,
    int_page_read_count_increment numeric,
    ori_page_read_user_increment numeric,
    ori_page_read_count_increment numeric,
    share_user_increment numeric,
    share_count_increment numeric,
    add_to_fav_user_increment numeric,
    add_to_fav_count_increment numeric,
    int_page_from_session_read_user_increment numeric,
    int_page_from_session_read_count_increment numeric,
    int_page_from_hist_msg_read_user_increment numeric,
    int_page_from_hist_msg_read_count_increment numeric,
    int_page_from_feed_read_user_increment numeric,
    int_page_from_feed_read_count_increment numeric,
    int_page_from_friends_read_user_increment numeric,
    int_page_from_friends_read_count_increment numeric,
    int_page_from_other_read_user_increment numeric,
    int_page_from_other_read_count_increment numeric,
    feed_share_from_session_user_increment numeric,
    feed_share_from_session_cnt_increment numeric,
    feed_share_from_feed_user_increment numeric,
    feed_share_from_feed_cnt_increment numeric,
    feed_share_from_other_user_increment numeric,
    feed_share_from_other_cnt_increment numeric,
    int_page_from_kanyikan_read_user_increment numeric,
    int_page_from_kanyikan_read_count_increment numeric,
    int_page_from_souyisou_read_user_increment numeric,
    int_page_from_souyisou_read_count_increment numeric,
    daily_share_rate numeric,
    daily_favourite_rate numeric,
    daily_original_page_rate numeric,
    daily_moments_spread numeric,
    PRIMARY KEY (appid, calendar_date)
);
CREATE INDEX fact_article_total_stat_date ON weixin.fact_article_total (stat_date);
-- few rows, if any: those that an account's days cannot be told from its publication days
CREATE INDEX fact_article_total_is_outside ON weixin.fact_article_total (appid)
WHERE stat_date < publication_date OR stat_date >= publication_date + 7;

CREATE TABLE weixin.latest_article_total_detail (
    appid text NOT NULL,
    msgid text NOT NULL,
    publication_date date NOT NULL,
    stat_date date NOT NULL,
    complete_through_date date,
    read_user bigint,
    share_user bigint,
    zaikan_user bigint,
    like_user bigint,
    comment_count bigint,
    collection_user bigint,
    praise_money bigint,
    read_subscribe_user bigint,
    read_delivery_rate numeric,
    read_finish_rate numeric,
    read_avg_activetime numeric,
    PRIMARY KEY (appid, msgid)
);
CREATE STATISTICS weixin.latest_article_total_detail_key (NDISTINCT)
ON appid, msgid FROM weixin.latest_article_total_detail;
CREATE TABLE weixin.account_day_article_total_detail (
    appid text NOT NULL,
    calendar_date date NOT NULL,
    articles_lacking bigint NOT NULL DEFAULT 0,
    is_covered boolean NOT NULL DEFAULT FALSE,
    row_count bigint NOT NULL DEFAULT 0,
    articles_reported bigint NOT NULL DEFAULT 0,
    most_days_spanned integer,
    is_falling boolean NOT NULL DEFAULT FALSE,
    is_spanned boolean NOT NULL DEFAULT FALSE,
    is_without_headline boolean NOT NULL DEFAULT FALSE,
    read_user_increment numeric,
    share_user_increment numeric,
    zaikan_user_increment numeric,
    like_user_increment numeric,
    comment_count_increment numeric,
    collection_user_increment numeric,
    praise_money_increment numeric,
    read_subscribe_user_increment numeric,
    daily_share_rate numeric,
    daily_favourite_rate numeric,
    PRIMARY KEY (appid, calendar_date)
);
CREATE INDEX fact_article_total_detail_stat_date ON weixin.fact_article_total_detail (stat_date);
-- few rows, if any: those that an account's days cannot be told from its publication days
CREATE INDEX fact_article_total_detail_is_outside ON weixin.fact_article_total_detail (appid)
WHERE stat_date < publication_date OR stat_date >= publication_date + 30;

COMMENT ON TABLE weixin.latest_article_total IS 'One row per account and article with a row of fact_article_total: its latest totals. Worked out from the fact, in the commit that changes it';
COMMENT ON COLUMN weixin.latest_article_total.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.latest_article_total.msgid IS 'The article, see dim_article';
COMMENT ON COLUMN weixin.latest_article_total.publication_date IS 'The article''s publication day (Beijing), as in the fact';
COMMENT ON COLUMN weixin.latest_article_total.stat_date IS 'The newest day (Beijing) of which the fact has a row';
COMMENT ON COLUMN weixin.latest_article_total.complete_through_date IS 'Last day (Beijing) up to which every day since publication has a row; null when the publication day has none';
COMMENT ON COLUMN weixin.latest_article_total.target_user IS 'People the message was sent to, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_read_user IS 'People who read the article page, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_read_count IS 'Reads of the article page, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.ori_page_read_user IS 'People who followed "read the original", by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.ori_page_read_count IS 'Visits by "read the original", by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.share_user IS 'People who shared the article, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.share_count IS 'Shares of the article, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.add_to_fav_user IS 'People who added the article to their favourites, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.add_to_fav_count IS 'Additions to favourites, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_session_read_user IS 'People who read the article from the account''s own chat, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_session_read_count IS 'Reads from the account''s own chat, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_hist_msg_read_user IS 'People who read the article from the list of past messages, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_hist_msg_read_count IS 'Reads from the list of past messages, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_feed_read_user IS 'People who read the article from Moments, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_feed_read_count IS 'Reads from Moments, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_friends_read_user IS 'People who read the article from a friend''s chat, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_friends_read_count IS 'Reads from a friend''s chat, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_other_read_user IS 'People who read the article from elsewhere, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_other_read_count IS 'Reads from elsewhere, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.feed_share_from_session_user IS 'People who shared it to Moments from the account''s own chat, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.feed_share_from_session_cnt IS 'Shares to Moments from the account''s own chat, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.feed_share_from_feed_user IS 'People who shared it to Moments from Moments, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.feed_share_from_feed_cnt IS 'Shares to Moments from Moments, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.feed_share_from_other_user IS 'People who shared it to Moments from elsewhere, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.feed_share_from_other_cnt IS 'Shares to Moments from elsewhere, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_kanyikan_read_user IS 'People who read the article from Top Stories (kanyikan), by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_kanyikan_read_count IS 'Reads from Top Stories (kanyikan), by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_souyisou_read_user IS 'People who read the article from Search (souyisou), by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total.int_page_from_souyisou_read_count IS 'Reads from Search (souyisou), by the newest row that has it; null when WeChat never gave it';

COMMENT ON TABLE weixin.account_day_article_total IS 'One row per account and calendar day of article_total from the first to the last that a row or the window of an answered publication day tells of: what all articles gained that day. Worked out from the fact and coverage, in the commit that changes them';
COMMENT ON COLUMN weixin.account_day_article_total.appid IS 'The account';
COMMENT ON COLUMN weixin.account_day_article_total.calendar_date IS 'The day (Beijing)';
COMMENT ON COLUMN weixin.account_day_article_total.articles_lacking IS 'Articles that must have a row of the day and have none';
COMMENT ON COLUMN weixin.account_day_article_total.is_covered IS 'Whether the publication days whose window contains the day have answers that may be relied on, with a row of the day for every article, and no open rejected part';
COMMENT ON COLUMN weixin.account_day_article_total.row_count IS 'Rows of the day';
COMMENT ON COLUMN weixin.account_day_article_total.articles_reported IS 'Articles within their window that have a row of the day';
COMMENT ON COLUMN weixin.account_day_article_total.most_days_spanned IS 'Largest number of days since an article''s previous row; null without a row';
COMMENT ON COLUMN weixin.account_day_article_total.is_falling IS 'Whether a total of an article fell';
COMMENT ON COLUMN weixin.account_day_article_total.is_spanned IS 'Whether an increment spans a gap that covers the day or ends on it';
COMMENT ON COLUMN weixin.account_day_article_total.is_without_headline IS 'Whether a row of the day, or of the day before, lacks a headline figure';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_read_user_increment IS 'People who read the article page, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_read_count_increment IS 'Reads of the article page, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.ori_page_read_user_increment IS 'People who followed "read the original", gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.ori_page_read_count_increment IS 'Visits by "read the original", gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.share_user_increment IS 'People who shared the article, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.share_count_increment IS 'Shares of the article, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.add_to_fav_user_increment IS 'People who added the article to their favourites, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.add_to_fav_count_increment IS 'Additions to favourites, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_session_read_user_increment IS 'People who read the article from the account''s own chat, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_session_read_count_increment IS 'Reads from the account''s own chat, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_hist_msg_read_user_increment IS 'People who read the article from the list of past messages, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_hist_msg_read_count_increment IS 'Reads from the list of past messages, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_feed_read_user_increment IS 'People who read the article from Moments, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_feed_read_count_increment IS 'Reads from Moments, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_friends_read_user_increment IS 'People who read the article from a friend''s chat, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_friends_read_count_increment IS 'Reads from a friend''s chat, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_other_read_user_increment IS 'People who read the article from elsewhere, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_other_read_count_increment IS 'Reads from elsewhere, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.feed_share_from_session_user_increment IS 'People who shared it to Moments from the account''s own chat, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.feed_share_from_session_cnt_increment IS 'Shares to Moments from the account''s own chat, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.feed_share_from_feed_user_increment IS 'People who shared it to Moments from Moments, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.feed_share_from_feed_cnt_increment IS 'Shares to Moments from Moments, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.feed_share_from_other_user_increment IS 'People who shared it to Moments from elsewhere, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.feed_share_from_other_cnt_increment IS 'Shares to Moments from elsewhere, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_kanyikan_read_user_increment IS 'People who read the article from Top Stories (kanyikan), gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_kanyikan_read_count_increment IS 'Reads from Top Stories (kanyikan), gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_souyisou_read_user_increment IS 'People who read the article from Search (souyisou), gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.int_page_from_souyisou_read_count_increment IS 'Reads from Search (souyisou), gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total.daily_share_rate IS 'Of the day''s increments: share of people who shared it, of its readers; null when the denominator is 0';
COMMENT ON COLUMN weixin.account_day_article_total.daily_favourite_rate IS 'Of the day''s increments: share of people who added it to their favourites, of its readers; null when the denominator is 0';
COMMENT ON COLUMN weixin.account_day_article_total.daily_original_page_rate IS 'Of the day''s increments: share of people who followed "read the original", of its readers; null when the denominator is 0';
COMMENT ON COLUMN weixin.account_day_article_total.daily_moments_spread IS 'Of the day''s increments: share of people who shared it to Moments from the account''s chat, of those who read it there; null when the denominator is 0';

COMMENT ON TABLE weixin.latest_article_total_detail IS 'One row per account and article with a row of fact_article_total_detail: its latest totals. Worked out from the fact, in the commit that changes it';
COMMENT ON COLUMN weixin.latest_article_total_detail.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.latest_article_total_detail.msgid IS 'The article, see dim_article';
COMMENT ON COLUMN weixin.latest_article_total_detail.publication_date IS 'The article''s publication day (Beijing), as in the fact';
COMMENT ON COLUMN weixin.latest_article_total_detail.stat_date IS 'The newest day (Beijing) of which the fact has a row';
COMMENT ON COLUMN weixin.latest_article_total_detail.complete_through_date IS 'Last day (Beijing) up to which every day since publication has a row; null when the publication day has none';
COMMENT ON COLUMN weixin.latest_article_total_detail.read_user IS 'People who read the article, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.share_user IS 'People who shared the article, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.zaikan_user IS 'People who marked the article 在看 (wow), by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.like_user IS 'People who liked the article, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.comment_count IS 'Comments, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.collection_user IS 'People who added the article to their favourites, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.praise_money IS 'Tips in cents (fen), by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.read_subscribe_user IS 'People who followed the account from the article, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.read_delivery_rate IS 'Share of the people it was delivered to who read it, from 0 to 1, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.read_finish_rate IS 'Share of the readers who read to the end, from 0 to 1, by the newest row that has it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.latest_article_total_detail.read_avg_activetime IS 'Minutes a reader stayed, on average, by the newest row that has it; null when WeChat never gave it';

COMMENT ON TABLE weixin.account_day_article_total_detail IS 'One row per account and calendar day of article_total_detail from the first to the last that a row or the window of an answered publication day tells of: what all articles gained that day. Worked out from the fact and coverage, in the commit that changes them';
COMMENT ON COLUMN weixin.account_day_article_total_detail.appid IS 'The account';
COMMENT ON COLUMN weixin.account_day_article_total_detail.calendar_date IS 'The day (Beijing)';
COMMENT ON COLUMN weixin.account_day_article_total_detail.articles_lacking IS 'Articles that must have a row of the day and have none';
COMMENT ON COLUMN weixin.account_day_article_total_detail.is_covered IS 'Whether the publication days whose window contains the day have answers that may be relied on, with a row of the day for every article, and no open rejected part';
COMMENT ON COLUMN weixin.account_day_article_total_detail.row_count IS 'Rows of the day';
COMMENT ON COLUMN weixin.account_day_article_total_detail.articles_reported IS 'Articles within their window that have a row of the day';
COMMENT ON COLUMN weixin.account_day_article_total_detail.most_days_spanned IS 'Largest number of days since an article''s previous row; null without a row';
COMMENT ON COLUMN weixin.account_day_article_total_detail.is_falling IS 'Whether a total of an article fell';
COMMENT ON COLUMN weixin.account_day_article_total_detail.is_spanned IS 'Whether an increment spans a gap that covers the day or ends on it';
COMMENT ON COLUMN weixin.account_day_article_total_detail.is_without_headline IS 'Whether a row of the day, or of the day before, lacks a headline figure';
COMMENT ON COLUMN weixin.account_day_article_total_detail.read_user_increment IS 'People who read the article, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.share_user_increment IS 'People who shared the article, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.zaikan_user_increment IS 'People who marked the article 在看 (wow), gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.like_user_increment IS 'People who liked the article, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.comment_count_increment IS 'Comments, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.collection_user_increment IS 'People who added the article to their favourites, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.praise_money_increment IS 'Tips in cents (fen), gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.read_subscribe_user_increment IS 'People who followed the account from the article, gained on the day over all articles; null when unknown';
COMMENT ON COLUMN weixin.account_day_article_total_detail.daily_share_rate IS 'Of the day''s increments: share of people who shared it, of its readers; null when the denominator is 0';
COMMENT ON COLUMN weixin.account_day_article_total_detail.daily_favourite_rate IS 'Of the day''s increments: share of people who added it to their favourites, of its readers; null when the denominator is 0';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
        GRANT SELECT, INSERT, UPDATE ON
            weixin.latest_article_total,
            weixin.account_day_article_total,
            weixin.latest_article_total_detail,
            weixin.account_day_article_total_detail
        TO weixin_loader;
        GRANT DELETE ON
            weixin.account_day_article_total,
            weixin.account_day_article_total_detail
        TO weixin_loader;
    END IF;
END
$$;

-- The views have many columns: compiling a query of them takes longer than it saves. Analysts have
-- roles of their own, which inherit no setting of weixin_reader, so it is the database's.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'jit stays as it is: % may not change that', current_user;
END
$$;

-- migrate:down

DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I RESET jit', current_database());
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'jit stays as it is: % may not change that', current_user;
END
$$;

DROP TABLE weixin.latest_article_total_detail;
DROP TABLE weixin.account_day_article_total_detail;
DROP INDEX weixin.fact_article_total_detail_stat_date;
DROP INDEX weixin.fact_article_total_detail_is_outside;
DROP TABLE weixin.latest_article_total;
DROP TABLE weixin.account_day_article_total;
DROP INDEX weixin.fact_article_total_stat_date;
DROP INDEX weixin.fact_article_total_is_outside;
