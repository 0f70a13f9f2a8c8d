-- migrate:up

-- Who read it that day, followers, the account's day: facts of statistics days.

CREATE TABLE weixin.fact_article_read (
    appid text NOT NULL,
    msgid text NOT NULL,
    stat_date date NOT NULL,
    read_user bigint,
    read_user_source jsonb,
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (appid, msgid, stat_date)
);
CREATE INDEX fact_article_read_stat_date ON weixin.fact_article_read (appid, stat_date);
COMMENT ON TABLE weixin.fact_article_read IS 'One row per account, article and day on which it was read, at any age (datacube/getarticleread). Figures are of that day alone: no running totals';
COMMENT ON COLUMN weixin.fact_article_read.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.fact_article_read.msgid IS 'The article, see dim_article; one that is older than what is collected of publication days is not in there';
COMMENT ON COLUMN weixin.fact_article_read.stat_date IS 'The day (Beijing), as it was asked for';
COMMENT ON COLUMN weixin.fact_article_read.read_user IS 'People who read the article that day; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_read.read_user_source IS 'Where these readers came from: a list of {scene_desc, user_count}; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_read.extra IS 'Metrics the pipeline does not know, by WeChat''s name';
COMMENT ON COLUMN weixin.fact_article_read.raw_response_id IS 'The answer that last changed the row, see raw_response';
COMMENT ON COLUMN weixin.fact_article_read.fetched_at IS 'Fetch time of the answer that last changed the row';
COMMENT ON COLUMN weixin.fact_article_read.loaded_at IS 'When the row was first loaded; later changes leave it';
COMMENT ON COLUMN weixin.fact_article_read.changed_at IS 'When the values last changed';

CREATE TABLE weixin.fact_article_read_history (
    LIKE weixin.fact_article_read INCLUDING COMMENTS,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    changed_metrics text[] NOT NULL,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, msgid, stat_date, history_id)
);
CREATE INDEX fact_article_read_history_replaced_at
ON weixin.fact_article_read_history USING brin (replaced_at);
COMMENT ON TABLE weixin.fact_article_read_history IS 'One row per row of fact_article_read that was replaced because its values changed, as it was from changed_at until replaced_at. It was replaced by the row of the same key with the next history_id or, if there is none, by the one in fact_article_read';
COMMENT ON COLUMN weixin.fact_article_read_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_article_read_history.cause IS 'What replaced it. wechat: an answer; replay: the fact was rebuilt from the kept answers, which a newer parser read differently, or somebody had changed the fact';
COMMENT ON COLUMN weixin.fact_article_read_history.changed_metrics IS 'Names of the metrics that have other values in the row that replaced it; empty when only extra differs';
COMMENT ON COLUMN weixin.fact_article_read_history.history_id IS 'Surrogate key: the versions of a row in the order in which they were replaced';

CREATE TABLE weixin.fact_article_share (
    appid text NOT NULL,
    msgid text NOT NULL,
    stat_date date NOT NULL,
    share_user bigint,
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (appid, msgid, stat_date)
);
CREATE INDEX fact_article_share_stat_date ON weixin.fact_article_share (appid, stat_date);
COMMENT ON TABLE weixin.fact_article_share IS 'One row per account, article and day on which it was shared, at any age (datacube/getarticleshare). Figures are of that day alone: no running totals';
COMMENT ON COLUMN weixin.fact_article_share.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.fact_article_share.msgid IS 'The article, see dim_article; one that is older than what is collected of publication days is not in there';
COMMENT ON COLUMN weixin.fact_article_share.stat_date IS 'The day (Beijing), as it was asked for';
COMMENT ON COLUMN weixin.fact_article_share.share_user IS 'People who shared the article that day; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_share.extra IS 'Metrics the pipeline does not know, by WeChat''s name';
COMMENT ON COLUMN weixin.fact_article_share.raw_response_id IS 'The answer that last changed the row, see raw_response';
COMMENT ON COLUMN weixin.fact_article_share.fetched_at IS 'Fetch time of the answer that last changed the row';
COMMENT ON COLUMN weixin.fact_article_share.loaded_at IS 'When the row was first loaded; later changes leave it';
COMMENT ON COLUMN weixin.fact_article_share.changed_at IS 'When the values last changed';

CREATE TABLE weixin.fact_article_share_history (
    LIKE weixin.fact_article_share INCLUDING COMMENTS,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    changed_metrics text[] NOT NULL,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, msgid, stat_date, history_id)
);
CREATE INDEX fact_article_share_history_replaced_at
ON weixin.fact_article_share_history USING brin (replaced_at);
COMMENT ON TABLE weixin.fact_article_share_history IS 'One row per row of fact_article_share that was replaced because its values changed, as it was from changed_at until replaced_at. It was replaced by the row of the same key with the next history_id or, if there is none, by the one in fact_article_share';
COMMENT ON COLUMN weixin.fact_article_share_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_article_share_history.cause IS 'What replaced it. wechat: an answer; replay: the fact was rebuilt from the kept answers, which a newer parser read differently, or somebody had changed the fact';
COMMENT ON COLUMN weixin.fact_article_share_history.changed_metrics IS 'Names of the metrics that have other values in the row that replaced it; empty when only extra differs';
COMMENT ON COLUMN weixin.fact_article_share_history.history_id IS 'Surrogate key: the versions of a row in the order in which they were replaced';

CREATE TABLE weixin.fact_account_summary (
    appid text NOT NULL,
    stat_date date NOT NULL,
    read_user bigint,
    read_user_source jsonb,
    share_user bigint,
    zaikan_user bigint,
    like_user bigint,
    comment_count bigint,
    collection_user bigint,
    redirect_ori_page_user bigint,
    send_page_count bigint,
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (appid, stat_date)
);
COMMENT ON TABLE weixin.fact_account_summary IS 'One row per account and day: WeChat''s summary of the account''s day, as it was last fetched (datacube/getbizsummary). Whether the day is that of reading or of publication is not sure';
COMMENT ON COLUMN weixin.fact_account_summary.appid IS 'The account';
COMMENT ON COLUMN weixin.fact_account_summary.stat_date IS 'The day (Beijing), as it was asked for';
COMMENT ON COLUMN weixin.fact_account_summary.read_user IS 'People who read any article of the account that day; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.read_user_source IS 'Where these readers came from: a list of {scene_desc, user_count}; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.share_user IS 'People who shared any; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.zaikan_user IS 'People who marked any 在看 (wow); null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.like_user IS 'People who liked any; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.comment_count IS 'Comments; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.collection_user IS 'People who added any to their favourites; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.redirect_ori_page_user IS 'People who followed "read the original"; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.send_page_count IS 'Articles published; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_account_summary.extra IS 'Metrics the pipeline does not know, by WeChat''s name';
COMMENT ON COLUMN weixin.fact_account_summary.raw_response_id IS 'The answer that last changed the row, see raw_response';
COMMENT ON COLUMN weixin.fact_account_summary.fetched_at IS 'Fetch time of the answer that last changed the row';
COMMENT ON COLUMN weixin.fact_account_summary.loaded_at IS 'When the row was first loaded; later changes leave it';
COMMENT ON COLUMN weixin.fact_account_summary.changed_at IS 'When the values last changed';

CREATE TABLE weixin.fact_account_summary_history (
    LIKE weixin.fact_account_summary INCLUDING COMMENTS,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    changed_metrics text[] NOT NULL,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, stat_date, history_id)
);
CREATE INDEX fact_account_summary_history_replaced_at
ON weixin.fact_account_summary_history USING brin (replaced_at);
COMMENT ON TABLE weixin.fact_account_summary_history IS 'One row per row of fact_account_summary that was replaced because its values changed, as it was from changed_at until replaced_at. It was replaced by the row of the same key with the next history_id or, if there is none, by the one in fact_account_summary';
COMMENT ON COLUMN weixin.fact_account_summary_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_account_summary_history.cause IS 'What replaced it. wechat: an answer; replay: the fact was rebuilt from the kept answers, which a newer parser read differently, or somebody had changed the fact';
COMMENT ON COLUMN weixin.fact_account_summary_history.changed_metrics IS 'Names of the metrics that have other values in the row that replaced it; empty when only extra differs';
COMMENT ON COLUMN weixin.fact_account_summary_history.history_id IS 'Surrogate key: the versions of a row in the order in which they were replaced';

CREATE TABLE weixin.fact_follower_change (
    appid text NOT NULL,
    user_source bigint NOT NULL,
    stat_date date NOT NULL,
    new_user bigint,
    cancel_user bigint,
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (appid, user_source, stat_date)
);
CREATE INDEX fact_follower_change_stat_date ON weixin.fact_follower_change (appid, stat_date);
COMMENT ON TABLE weixin.fact_follower_change IS 'One row per account, day and channel: followers won and lost (datacube/getusersummary). There is no row of the whole: add the channels up';
COMMENT ON COLUMN weixin.fact_follower_change.appid IS 'The account';
COMMENT ON COLUMN weixin.fact_follower_change.user_source IS 'The channel, as WeChat numbers it: 0 others together (a channel, not the sum), 1 search, 17 name card, 30 QR code, 57 account name in an article, 100 advertisement, 149 mini program, 161 reprint, 200 video account, 201 live stream';
COMMENT ON COLUMN weixin.fact_follower_change.stat_date IS 'The day (Beijing), as it was asked for';
COMMENT ON COLUMN weixin.fact_follower_change.new_user IS 'People who began to follow the account; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_follower_change.cancel_user IS 'People who stopped following it; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_follower_change.extra IS 'Metrics the pipeline does not know, by WeChat''s name';
COMMENT ON COLUMN weixin.fact_follower_change.raw_response_id IS 'The answer that last changed the row, see raw_response';
COMMENT ON COLUMN weixin.fact_follower_change.fetched_at IS 'Fetch time of the answer that last changed the row';
COMMENT ON COLUMN weixin.fact_follower_change.loaded_at IS 'When the row was first loaded; later changes leave it';
COMMENT ON COLUMN weixin.fact_follower_change.changed_at IS 'When the values last changed';

CREATE TABLE weixin.fact_follower_change_history (
    LIKE weixin.fact_follower_change INCLUDING COMMENTS,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    changed_metrics text[] NOT NULL,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, user_source, stat_date, history_id)
);
CREATE INDEX fact_follower_change_history_replaced_at
ON weixin.fact_follower_change_history USING brin (replaced_at);
COMMENT ON TABLE weixin.fact_follower_change_history IS 'One row per row of fact_follower_change that was replaced because its values changed, as it was from changed_at until replaced_at. It was replaced by the row of the same key with the next history_id or, if there is none, by the one in fact_follower_change';
COMMENT ON COLUMN weixin.fact_follower_change_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_follower_change_history.cause IS 'What replaced it. wechat: an answer; replay: the fact was rebuilt from the kept answers, which a newer parser read differently, or somebody had changed the fact';
COMMENT ON COLUMN weixin.fact_follower_change_history.changed_metrics IS 'Names of the metrics that have other values in the row that replaced it; empty when only extra differs';
COMMENT ON COLUMN weixin.fact_follower_change_history.history_id IS 'Surrogate key: the versions of a row in the order in which they were replaced';

CREATE TABLE weixin.fact_follower_total (
    appid text NOT NULL,
    stat_date date NOT NULL,
    cumulate_user bigint,
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (appid, stat_date)
);
COMMENT ON TABLE weixin.fact_follower_total IS 'One row per account and day: the followers at its end (datacube/getusercumulate). A stock: never add days up';
COMMENT ON COLUMN weixin.fact_follower_total.appid IS 'The account';
COMMENT ON COLUMN weixin.fact_follower_total.stat_date IS 'The day (Beijing), as it was asked for';
COMMENT ON COLUMN weixin.fact_follower_total.cumulate_user IS 'People who follow the account at the end of the day; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_follower_total.extra IS 'Metrics the pipeline does not know, by WeChat''s name';
COMMENT ON COLUMN weixin.fact_follower_total.raw_response_id IS 'The answer that last changed the row, see raw_response';
COMMENT ON COLUMN weixin.fact_follower_total.fetched_at IS 'Fetch time of the answer that last changed the row';
COMMENT ON COLUMN weixin.fact_follower_total.loaded_at IS 'When the row was first loaded; later changes leave it';
COMMENT ON COLUMN weixin.fact_follower_total.changed_at IS 'When the values last changed';

CREATE TABLE weixin.fact_follower_total_history (
    LIKE weixin.fact_follower_total INCLUDING COMMENTS,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    changed_metrics text[] NOT NULL,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, stat_date, history_id)
);
CREATE INDEX fact_follower_total_history_replaced_at
ON weixin.fact_follower_total_history USING brin (replaced_at);
COMMENT ON TABLE weixin.fact_follower_total_history IS 'One row per row of fact_follower_total that was replaced because its values changed, as it was from changed_at until replaced_at. It was replaced by the row of the same key with the next history_id or, if there is none, by the one in fact_follower_total';
COMMENT ON COLUMN weixin.fact_follower_total_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_follower_total_history.cause IS 'What replaced it. wechat: an answer; replay: the fact was rebuilt from the kept answers, which a newer parser read differently, or somebody had changed the fact';
COMMENT ON COLUMN weixin.fact_follower_total_history.changed_metrics IS 'Names of the metrics that have other values in the row that replaced it; empty when only extra differs';
COMMENT ON COLUMN weixin.fact_follower_total_history.history_id IS 'Surrogate key: the versions of a row in the order in which they were replaced';

-- The pair stays the account and the day asked for: of these datasets it is a statistics day.
COMMENT ON COLUMN weixin.raw_response.publication_date IS 'The day asked for (Beijing): a publication day or, of datasets such as article_read, the statistics day';
COMMENT ON COLUMN weixin.coverage.publication_date IS 'The day asked for (Beijing): a publication day or, of datasets such as article_read, the statistics day';
COMMENT ON COLUMN weixin.coverage.data_state IS 'What we have: loaded (articles, or other rows of a statistics day), empty (an answer without any), null (no usable answer yet)';
COMMENT ON COLUMN weixin.coverage.article_count IS 'Articles in the newest answer; of a dataset without articles its rows'' channels, or 1';
COMMENT ON COLUMN weixin.coverage.is_final IS 'Whether the day is not asked for again: the totals of a publication day have stopped growing, and two days'' answers list the same articles; of a statistics day a ready answer came on the last morning on which it is asked for, or later';
COMMENT ON COLUMN weixin.rejected_row.publication_date IS 'The day asked for (Beijing)';
COMMENT ON COLUMN weixin.rejected_row.msgid IS 'The article, where the answer names one; of follower_change the channel; empty in a dataset without either';
COMMENT ON COLUMN weixin.run_report.publication_date IS 'The day asked for (Beijing): a publication day or, of datasets such as article_read, the statistics day';

-- What the roles of 0005_roles.sql may do with them: the history of a fact is only added to.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
        GRANT SELECT, INSERT, UPDATE ON
            weixin.fact_article_read,
            weixin.fact_article_share,
            weixin.fact_account_summary,
            weixin.fact_follower_change,
            weixin.fact_follower_total
        TO weixin_loader;
        REVOKE UPDATE ON
            weixin.fact_article_read_history,
            weixin.fact_article_share_history,
            weixin.fact_account_summary_history,
            weixin.fact_follower_change_history,
            weixin.fact_follower_total_history
        FROM weixin_loader;
        GRANT SELECT, INSERT ON
            weixin.fact_article_read_history,
            weixin.fact_article_share_history,
            weixin.fact_account_summary_history,
            weixin.fact_follower_change_history,
            weixin.fact_follower_total_history
        TO weixin_loader;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_reader') THEN
        GRANT SELECT ON
            weixin.fact_article_read,
            weixin.fact_article_read_history,
            weixin.fact_article_share,
            weixin.fact_article_share_history,
            weixin.fact_account_summary,
            weixin.fact_account_summary_history,
            weixin.fact_follower_change,
            weixin.fact_follower_change_history,
            weixin.fact_follower_total,
            weixin.fact_follower_total_history
        TO weixin_reader;
    END IF;
END
$$;

-- migrate:down

DROP TABLE weixin.fact_article_read_history;
DROP TABLE weixin.fact_article_read;
DROP TABLE weixin.fact_article_share_history;
DROP TABLE weixin.fact_article_share;
DROP TABLE weixin.fact_account_summary_history;
DROP TABLE weixin.fact_account_summary;
DROP TABLE weixin.fact_follower_change_history;
DROP TABLE weixin.fact_follower_change;
DROP TABLE weixin.fact_follower_total_history;
DROP TABLE weixin.fact_follower_total;
