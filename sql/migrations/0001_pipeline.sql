-- migrate:up

-- the schema is there already, with the list of applied migrations: schema_migrations/create.sql
COMMENT ON SCHEMA weixin IS 'The WeChat article statistics: facts, dimensions, raw answers, and the state of the pipeline';
COMMENT ON TABLE weixin.schema_migrations IS 'One row per migration applied to this database';
COMMENT ON COLUMN weixin.schema_migrations.version IS 'Number of the migration file in sql/migrations';

CREATE TABLE weixin.dim_account (
    appid text PRIMARY KEY,
    name text NOT NULL,
    conn_id text NOT NULL,
    is_active boolean NOT NULL DEFAULT TRUE,
    first_seen_at timestamptz NOT NULL
);
COMMENT ON TABLE weixin.dim_account IS 'One row per Official Account that a run has planned, or of which answers were imported';
COMMENT ON COLUMN weixin.dim_account.appid IS 'AppID of the Official Account at WeChat';
COMMENT ON COLUMN weixin.dim_account.name IS 'Display name: extra "name" of its Airflow connection, else the connection id';
COMMENT ON COLUMN weixin.dim_account.conn_id IS 'Airflow connection that holds its credentials; empty while it is known from imported answers only';
COMMENT ON COLUMN weixin.dim_account.is_active IS 'Whether it is in the list of accounts to collect (Airflow Variable weixin_accounts)';
COMMENT ON COLUMN weixin.dim_account.first_seen_at IS 'When the pipeline first planned it, or imported an answer of it';

CREATE TABLE weixin.first_daily_run (
    dataset text NOT NULL,
    appid text NOT NULL,
    first_daily_date date NOT NULL,
    PRIMARY KEY (dataset, appid)
);
COMMENT ON TABLE weixin.first_daily_run IS 'One row per dataset and account that a daily run has planned: publication days from a window before this day on are caught up. Per dataset, because an account may start with each endpoint on a different day';
COMMENT ON COLUMN weixin.first_daily_run.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.first_daily_run.appid IS 'The account';
COMMENT ON COLUMN weixin.first_daily_run.first_daily_date IS 'Day (Beijing) of the account''s first daily run in the dataset';

-- A row of these tables changes every morning: with free space in its page it needs no new index
-- entry.
CREATE TABLE weixin.dim_article (
    appid text NOT NULL,
    msgid text NOT NULL,
    message_id text,
    position smallint,
    publication_date date NOT NULL,
    title text,
    url text,
    content_url text,
    publish_type smallint,
    user_source bigint,
    extra jsonb,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (appid, msgid)
) WITH (fillfactor = 50);
CREATE INDEX dim_article_publication_date ON weixin.dim_article (appid, publication_date);
COMMENT ON TABLE weixin.dim_article IS 'One row per article of an account; each attribute is the newest non-null value WeChat gave';
COMMENT ON COLUMN weixin.dim_article.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.dim_article.msgid IS 'WeChat''s id of the article, <message>_<position>';
COMMENT ON COLUMN weixin.dim_article.message_id IS 'The message the article was sent in: msgid before the last underscore; null when msgid has another form';
COMMENT ON COLUMN weixin.dim_article.position IS 'Its position in the message, from 1; null when msgid has another form';
COMMENT ON COLUMN weixin.dim_article.publication_date IS 'Day of publication (Beijing), according to the first answer that listed the article';
COMMENT ON COLUMN weixin.dim_article.title IS 'Title';
COMMENT ON COLUMN weixin.dim_article.url IS 'Address as item key url (undocumented)';
COMMENT ON COLUMN weixin.dim_article.content_url IS 'Address as item key content_url';
COMMENT ON COLUMN weixin.dim_article.publish_type IS '0: followers were notified, 1: they were not; only getarticletotaldetail gives it';
COMMENT ON COLUMN weixin.dim_article.user_source IS 'Item key user_source (undocumented, 0 where seen)';
COMMENT ON COLUMN weixin.dim_article.extra IS 'Item keys the pipeline does not know, and known ones whose value has an unexpected type';
COMMENT ON COLUMN weixin.dim_article.first_seen_at IS 'Fetch time of the earliest answer that listed it';
COMMENT ON COLUMN weixin.dim_article.last_seen_at IS 'Fetch time of the newest answer that listed it; if the same bytes were fetched again, only raw_response.last_seen_at changes';

CREATE TABLE weixin.dim_article_title_history (
    history_id bigint GENERATED ALWAYS AS IDENTITY,
    appid text NOT NULL,
    msgid text NOT NULL,
    title text NOT NULL,
    replaced_at timestamptz NOT NULL,
    PRIMARY KEY (appid, msgid, history_id)
);
COMMENT ON TABLE weixin.dim_article_title_history IS 'One row per title of an article that another title replaced; dim_article has the current one. A first title replaces nothing';
COMMENT ON COLUMN weixin.dim_article_title_history.history_id IS 'Surrogate key: the titles of an article in the order in which they were replaced';
COMMENT ON COLUMN weixin.dim_article_title_history.appid IS 'The account';
COMMENT ON COLUMN weixin.dim_article_title_history.msgid IS 'The article';
COMMENT ON COLUMN weixin.dim_article_title_history.title IS 'The title that was replaced';
COMMENT ON COLUMN weixin.dim_article_title_history.replaced_at IS 'When the next title was loaded';

CREATE TABLE weixin.article_sighting (
    dataset text NOT NULL,
    appid text NOT NULL,
    msgid text NOT NULL,
    raw_response_id bigint NOT NULL,
    PRIMARY KEY (appid, msgid, dataset)
) WITH (fillfactor = 50);
COMMENT ON TABLE weixin.article_sighting IS 'One row per dataset and article: both datasets describe the same articles, but one may list an article that the other does not';
COMMENT ON COLUMN weixin.article_sighting.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.article_sighting.appid IS 'The account';
COMMENT ON COLUMN weixin.article_sighting.msgid IS 'The article';
COMMENT ON COLUMN weixin.article_sighting.raw_response_id IS 'The endpoint''s newest answer that listed it: its last_seen_at says when';

CREATE TABLE weixin.raw_response (
    raw_response_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    appid text NOT NULL,
    publication_date date NOT NULL,
    body_zstd bytea NOT NULL,
    body_sha256 bytea NOT NULL,
    fetched_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL
) WITH (fillfactor = 50);
-- compressed already
ALTER TABLE weixin.raw_response ALTER COLUMN body_zstd SET STORAGE EXTERNAL;
CREATE INDEX raw_response_pair ON weixin.raw_response (appid, publication_date, dataset);
COMMENT ON TABLE weixin.raw_response IS 'One row per distinct successful answer of a pair (account, publication day), in the order they were seen; error bodies are not kept';
COMMENT ON COLUMN weixin.raw_response.raw_response_id IS 'Surrogate key';
COMMENT ON COLUMN weixin.raw_response.dataset IS 'Which endpoint answered: article_total, …';
COMMENT ON COLUMN weixin.raw_response.appid IS 'The account asked for';
COMMENT ON COLUMN weixin.raw_response.publication_date IS 'The publication day asked for (Beijing)';
COMMENT ON COLUMN weixin.raw_response.body_zstd IS 'The exact bytes of the answer, compressed with Zstandard: `weixin-etl answers` prints them';
COMMENT ON COLUMN weixin.raw_response.body_sha256 IS 'SHA-256 of the answer, not compressed';
COMMENT ON COLUMN weixin.raw_response.fetched_at IS 'When this answer was first fetched';
COMMENT ON COLUMN weixin.raw_response.last_seen_at IS 'When the same bytes were last fetched with no other answer in between';
COMMENT ON COLUMN weixin.raw_response.loaded_at IS 'When it was stored: for an imported answer long after fetched_at';

CREATE TABLE weixin.coverage (
    dataset text NOT NULL,
    appid text NOT NULL,
    publication_date date NOT NULL,
    data_state text CHECK (data_state IN ('loaded', 'empty')),
    through_date date,
    fetched_at timestamptz,
    ready_at timestamptz,
    is_provisional boolean NOT NULL DEFAULT FALSE,
    is_final boolean NOT NULL DEFAULT FALSE,
    article_count integer,
    row_count integer,
    attempt_state text CHECK (attempt_state IN ('ok', 'not_ready', 'failed')),
    attempted_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    error_kind text,
    error_code integer,
    error text,
    cure text,
    rid text,
    PRIMARY KEY (appid, publication_date, dataset),
    CHECK ((data_state IS NULL) = (fetched_at IS NULL)),
    CHECK (NOT is_final OR ready_at IS NOT NULL),
    CHECK ((attempt_state IS NULL) = (attempted_at IS NULL))
) WITH (fillfactor = 50);
COMMENT ON TABLE weixin.coverage IS 'One row per dataset, account and publication day ever asked for: what we have, and how the last attempt ended';
COMMENT ON COLUMN weixin.coverage.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.coverage.appid IS 'The account';
COMMENT ON COLUMN weixin.coverage.publication_date IS 'The publication day (Beijing)';
COMMENT ON COLUMN weixin.coverage.data_state IS 'What we have: loaded (articles), empty (nothing was published), null (no usable answer yet)';
COMMENT ON COLUMN weixin.coverage.through_date IS 'Last stat_date that every article of the newest answer reaches; null when one has no row or there is none';
COMMENT ON COLUMN weixin.coverage.fetched_at IS 'Fetch time of the newest loaded answer; an identical answer updates it too';
COMMENT ON COLUMN weixin.coverage.ready_at IS 'Fetch time of the newest answer that was ready: it contained everything that WeChat must have computed by then; an identical answer updates it too; null when none was';
COMMENT ON COLUMN weixin.coverage.is_provisional IS 'Whether it is empty according to an answer from before ready_hour of the day after publication: WeChat may not have listed the articles yet';
COMMENT ON COLUMN weixin.coverage.is_final IS 'Whether the totals have stopped growing, so that the day is not asked for again';
COMMENT ON COLUMN weixin.coverage.article_count IS 'Articles in the newest answer';
COMMENT ON COLUMN weixin.coverage.row_count IS 'Rows in the newest answer, without rejected ones';
COMMENT ON COLUMN weixin.coverage.attempt_state IS 'How the last attempt ended: ok, not_ready (WeChat had not computed yesterday yet) or failed; null when the first attempt was interrupted before it was judged';
COMMENT ON COLUMN weixin.coverage.attempted_at IS 'When the last attempt was answered or abandoned';
COMMENT ON COLUMN weixin.coverage.attempts IS 'Attempts in a row that did not end ok; 0 after an ok one';
COMMENT ON COLUMN weixin.coverage.next_attempt_at IS 'The account is not asked again before this time (daily quota); null when it may be';
COMMENT ON COLUMN weixin.coverage.error_kind IS 'What kind of trouble ended the last attempt, as weixin_etl.problem.ProblemKind names it; null after an ok one';
COMMENT ON COLUMN weixin.coverage.error_code IS 'errcode of the last attempt; null when it ended ok or WeChat gave none';
COMMENT ON COLUMN weixin.coverage.error IS 'What happened in the last attempt, with WeChat''s words; null after an ok one';
COMMENT ON COLUMN weixin.coverage.cure IS 'What to change or, if nothing, what happens next; null after an ok attempt';
COMMENT ON COLUMN weixin.coverage.rid IS 'WeChat''s id of the last attempt''s call; null after an ok one, or if it gave none';

CREATE TABLE weixin.rejected_row (
    rejected_row_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    appid text NOT NULL,
    publication_date date NOT NULL,
    msgid text,
    stat_date date,
    reason text NOT NULL,
    payload text NOT NULL,
    raw_response_id bigint NOT NULL,
    rejected_at timestamptz NOT NULL,
    resolved_at timestamptz
);
CREATE INDEX rejected_row_raw_response_id ON weixin.rejected_row (raw_response_id);
CREATE INDEX rejected_row_is_open ON weixin.rejected_row (appid, publication_date, dataset)
WHERE resolved_at IS NULL;
COMMENT ON TABLE weixin.rejected_row IS 'One row per part of an answer that does not fit the facts; the remaining rows were loaded';
COMMENT ON COLUMN weixin.rejected_row.rejected_row_id IS 'Surrogate key';
COMMENT ON COLUMN weixin.rejected_row.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.rejected_row.appid IS 'The account';
COMMENT ON COLUMN weixin.rejected_row.publication_date IS 'The publication day asked for (Beijing)';
COMMENT ON COLUMN weixin.rejected_row.msgid IS 'The article, where the answer names one';
COMMENT ON COLUMN weixin.rejected_row.stat_date IS 'The day whose total it is (Beijing); null when the answer gives no valid date: see payload';
COMMENT ON COLUMN weixin.rejected_row.reason IS 'What does not fit';
COMMENT ON COLUMN weixin.rejected_row.payload IS 'The rejected part as JSON text';
COMMENT ON COLUMN weixin.rejected_row.raw_response_id IS 'The answer that contains it';
COMMENT ON COLUMN weixin.rejected_row.rejected_at IS 'When it was rejected';
COMMENT ON COLUMN weixin.rejected_row.resolved_at IS 'When a replay found that it fits now, or is rejected for another reason; null while it is open';

CREATE TABLE weixin.run_report (
    run_id text NOT NULL,
    dataset text NOT NULL,
    appid text NOT NULL,
    publication_date date NOT NULL,
    planned_at timestamptz NOT NULL,
    is_planned boolean NOT NULL DEFAULT TRUE,
    is_probe boolean NOT NULL DEFAULT FALSE,
    calls integer NOT NULL DEFAULT 0,
    inserted integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    restated integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'planned'
    CHECK (state IN ('planned', 'held_back', 'loaded', 'empty', 'not_ready', 'failed')),
    is_retryable boolean NOT NULL DEFAULT TRUE,
    announced_at timestamptz,
    PRIMARY KEY (run_id, dataset, appid, publication_date)
) WITH (fillfactor = 80);
CREATE INDEX run_report_to_announce ON weixin.run_report (dataset)
WHERE announced_at IS NULL AND inserted + updated > 0;
COMMENT ON TABLE weixin.run_report IS 'One row per pair (account, publication day) that a run planned, with its result; a later try of the same run adds its counts';
COMMENT ON COLUMN weixin.run_report.run_id IS 'Airflow''s run id';
COMMENT ON COLUMN weixin.run_report.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.run_report.appid IS 'The account';
COMMENT ON COLUMN weixin.run_report.publication_date IS 'The publication day (Beijing)';
COMMENT ON COLUMN weixin.run_report.planned_at IS 'When the run first planned the pair: a ready answer fetched since then, by any run, brings it in';
COMMENT ON COLUMN weixin.run_report.is_planned IS 'Whether the run''s newest plan names the pair. A pair that only an earlier plan named keeps its counts; a daily run''s plan has no pairs that are held_back';
COMMENT ON COLUMN weixin.run_report.is_probe IS 'Whether the endpoint was retired when the run was planned, so that the pair only asks whether it is back: another 47009 does not make the run red';
COMMENT ON COLUMN weixin.run_report.calls IS 'Data calls made, repeated tries of a call included';
COMMENT ON COLUMN weixin.run_report.inserted IS 'Rows new in the fact';
COMMENT ON COLUMN weixin.run_report.updated IS 'Rows of the fact that changed';
COMMENT ON COLUMN weixin.run_report.unchanged IS 'Rows answered that the fact already held';
COMMENT ON COLUMN weixin.run_report.rejected IS 'Parts of answers that did not fit, see rejected_row';
COMMENT ON COLUMN weixin.run_report.restated IS 'Figures that had a value and were given another, see restatement';
COMMENT ON COLUMN weixin.run_report.state IS 'Result of the run''s last attempt: planned (not asked or not judged yet), held_back (not asked: calls are kept for the daily runs of the day), loaded, empty, not_ready or failed';
COMMENT ON COLUMN weixin.run_report.is_retryable IS 'Whether an automatic retry of the run asks for it again; false when a person must fix something first';

CREATE TABLE weixin.view_version (
    view_name text PRIMARY KEY,
    text_sha256 text NOT NULL,
    applied_at timestamptz NOT NULL
);
COMMENT ON TABLE weixin.view_version IS 'One row per view or function that this project made from a file under sql/analytics or sql/weixin: which text it was created from. One whose file has changed is updated after the migrations';
COMMENT ON COLUMN weixin.view_version.view_name IS 'Its schema and name; a function''s with the types of its parameters';
COMMENT ON COLUMN weixin.view_version.text_sha256 IS 'SHA-256 of its text, in hexadecimal';
COMMENT ON COLUMN weixin.view_version.applied_at IS 'When it was created or replaced';

-- Views and functions are files under sql/analytics and sql/weixin, applied after the migrations.
CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'What analysts query: views over the facts, each with its grain and every column described';

-- A table, as the planner knows nothing of what generate_series() gives
CREATE TABLE analytics.calendar (
    calendar_date date PRIMARY KEY,
    iso_week text NOT NULL,
    week_start_date date NOT NULL,
    month text NOT NULL,
    month_start_date date NOT NULL,
    weekday smallint NOT NULL,
    weekday_name text NOT NULL,
    weekday_chinese_name text NOT NULL
);
INSERT INTO analytics.calendar
SELECT
    calendar_date,
    to_char(calendar_date, 'IYYY-"W"IW'),
    date_trunc('week', calendar_date)::date,
    to_char(calendar_date, 'YYYY-MM'),
    date_trunc('month', calendar_date)::date,
    weekday,
    (ARRAY['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[weekday],
    (ARRAY['星期一', '星期二', '星期三', '星期四', '星期五', '星期六', '星期日'])[weekday]
FROM (
    SELECT
        date '2014-12-01' + day AS calendar_date,
        extract(ISODOW FROM date '2014-12-01' + day)::smallint AS weekday
    FROM generate_series(0, date '2099-12-31' - date '2014-12-01') AS day
) AS listed;
ANALYZE analytics.calendar;
COMMENT ON TABLE analytics.calendar IS 'One row per day from 2014-12-01, the first that WeChat has figures of, to the end of 2099
中文：日历，每天一行
key: calendar_date';
COMMENT ON COLUMN analytics.calendar.calendar_date IS 'The day
中文：日期';
COMMENT ON COLUMN analytics.calendar.iso_week IS 'Its ISO week, as 2026-W48: weeks begin on Monday, and the first of a year holds its first Thursday
中文：ISO 周';
COMMENT ON COLUMN analytics.calendar.week_start_date IS 'The Monday of its week
中文：所在周的星期一';
COMMENT ON COLUMN analytics.calendar.month IS 'Its month, as 2026-11
中文：月份';
COMMENT ON COLUMN analytics.calendar.month_start_date IS 'The first day of its month
中文：所在月的第一天';
COMMENT ON COLUMN analytics.calendar.weekday IS 'Its weekday: 1 Monday … 7 Sunday
中文：星期（1 为星期一）';
COMMENT ON COLUMN analytics.calendar.weekday_name IS 'Its weekday in English
中文：星期（英文）';
COMMENT ON COLUMN analytics.calendar.weekday_chinese_name IS 'Its weekday in Chinese
中文：星期（中文）';

-- migrate:down

DROP TABLE analytics.calendar;
DROP SCHEMA analytics;
DROP TABLE weixin.view_version;
DROP TABLE weixin.run_report;
DROP TABLE weixin.rejected_row;
DROP TABLE weixin.coverage;
DROP TABLE weixin.raw_response;
DROP TABLE weixin.article_sighting;
DROP TABLE weixin.dim_article_title_history;
DROP TABLE weixin.dim_article;
DROP TABLE weixin.first_daily_run;
DROP TABLE weixin.dim_account;
