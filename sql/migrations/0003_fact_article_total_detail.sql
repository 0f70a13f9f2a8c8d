-- migrate:up

CREATE TABLE weixin.fact_article_total_detail (
    appid text NOT NULL,
    msgid text NOT NULL,
    stat_date date NOT NULL,
    publication_date date NOT NULL,
    read_user bigint,
    read_user_source jsonb,
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
    read_jump_position jsonb,
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (appid, msgid, stat_date)
);
CREATE INDEX fact_article_total_detail_publication_date
ON weixin.fact_article_total_detail (appid, publication_date);

COMMENT ON TABLE weixin.fact_article_total_detail IS 'One row per account, article and day: totals from publication to the end of stat_date (datacube/getarticletotaldetail). Totals are cumulative: never add up rows of one article';
COMMENT ON COLUMN weixin.fact_article_total_detail.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.fact_article_total_detail.msgid IS 'The article, see dim_article';
COMMENT ON COLUMN weixin.fact_article_total_detail.stat_date IS 'The day (Beijing) at the end of which the totals were taken';
COMMENT ON COLUMN weixin.fact_article_total_detail.publication_date IS 'The publication day (Beijing) whose answer contained the row: its ref_date';
COMMENT ON COLUMN weixin.fact_article_total_detail.read_user IS 'People who read the article, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.read_user_source IS 'Where they came from: a list of {scene_desc, user_count}; scene_desc is WeChat''s own Chinese text, 全部 is their sum; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.share_user IS 'People who shared it, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.zaikan_user IS 'People who marked it 在看 (wow), total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.like_user IS 'People who liked it, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.comment_count IS 'Comments, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.collection_user IS 'People who added it to their favourites, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.praise_money IS 'Tips in cents (fen), total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.read_subscribe_user IS 'People who followed the account from the article, total so far; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.read_delivery_rate IS 'Share of the people it was delivered to who read it, from 0 to 1: not additive; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.read_finish_rate IS 'Share of the readers who read to the end, from 0 to 1: not additive; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.read_avg_activetime IS 'Minutes a reader stayed, on average: not additive; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.read_jump_position IS 'Where readers left: a list of {position (1 to 5), rate}; null when WeChat never gave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.extra IS 'Metrics the pipeline does not know, by WeChat''s name';
COMMENT ON COLUMN weixin.fact_article_total_detail.raw_response_id IS 'The answer that last changed the row, see raw_response';
COMMENT ON COLUMN weixin.fact_article_total_detail.fetched_at IS 'Fetch time of the answer that last changed the row';
COMMENT ON COLUMN weixin.fact_article_total_detail.loaded_at IS 'When the row was first loaded; later changes leave it';
COMMENT ON COLUMN weixin.fact_article_total_detail.changed_at IS 'When the values last changed';

-- its rows are appended in the order of replaced_at, and found by that or by their key
CREATE TABLE weixin.fact_article_total_detail_history (
    LIKE weixin.fact_article_total_detail INCLUDING COMMENTS,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    changed_metrics text[] NOT NULL,
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, msgid, stat_date, history_id)
);
CREATE INDEX fact_article_total_detail_history_replaced_at
ON weixin.fact_article_total_detail_history USING brin (replaced_at);

COMMENT ON TABLE weixin.fact_article_total_detail_history IS 'One row per row of fact_article_total_detail that was replaced because its values changed, as it was from changed_at until replaced_at. It was replaced by the row of the same key with the next history_id or, if there is none, by the one in fact_article_total_detail';
COMMENT ON COLUMN weixin.fact_article_total_detail_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_article_total_detail_history.cause IS 'What replaced it. wechat: an answer; replay: the fact was rebuilt from the kept answers, which a newer parser read differently, or somebody had changed the fact';
COMMENT ON COLUMN weixin.fact_article_total_detail_history.changed_metrics IS 'Names of the metrics that have other values in the row that replaced it; empty when only extra differs';
COMMENT ON COLUMN weixin.fact_article_total_detail_history.history_id IS 'Surrogate key: the versions of a row in the order in which they were replaced';

-- migrate:down

DROP TABLE weixin.fact_article_total_detail_history;
DROP TABLE weixin.fact_article_total_detail;
