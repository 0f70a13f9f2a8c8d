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

ALTER TABLE weixin.run_report
DROP CONSTRAINT run_report_state_check,
ADD CONSTRAINT run_report_state_check
CHECK (state IN ('planned', 'loaded', 'empty', 'not_ready', 'failed', 'retired'));
COMMENT ON COLUMN weixin.run_report.state IS 'planned (not asked yet), loaded, empty, not_ready, failed or retired (asked again, and the endpoint is still offline)';

-- migrate:down

UPDATE weixin.run_report SET state = 'failed'
WHERE state = 'retired';
ALTER TABLE weixin.run_report
DROP CONSTRAINT run_report_state_check,
ADD CONSTRAINT run_report_state_check
CHECK (state IN ('planned', 'loaded', 'empty', 'not_ready', 'failed'));
COMMENT ON COLUMN weixin.run_report.state IS 'planned (not asked yet), loaded, empty, not_ready or failed';
DROP TABLE weixin.retired;
