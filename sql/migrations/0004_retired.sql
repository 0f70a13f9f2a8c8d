-- migrate:up

CREATE TABLE weixin.retired (
    appid text NOT NULL,
    dataset text NOT NULL,
    retired_at timestamptz NOT NULL,
    last_asked_at timestamptz NOT NULL,
    PRIMARY KEY (appid, dataset)
);
COMMENT ON TABLE weixin.retired IS 'One row per account and dataset whose endpoint WeChat answers with 47009 (offline): runs skip it, and ask again once a week';
COMMENT ON COLUMN weixin.retired.appid IS 'The account';
COMMENT ON COLUMN weixin.retired.dataset IS 'The dataset whose endpoint is gone: article_total, …';
COMMENT ON COLUMN weixin.retired.retired_at IS 'When WeChat first said so';
COMMENT ON COLUMN weixin.retired.last_asked_at IS 'When WeChat last said so';

-- migrate:down

DROP TABLE weixin.retired;
