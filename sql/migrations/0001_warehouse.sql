-- Create the tables that cannot be declared. The schema and its list of applied migrations exist
-- already: see schema_migrations/create.sql.
COMMENT ON SCHEMA weixin IS 'The WeChat article statistics: facts, dimensions, raw answers, and the state of the pipeline';
COMMENT ON TABLE weixin.schema_migrations IS 'One row per migration applied to this database, one for what is declared (facts, roles and views) and one for the definition of account days';
COMMENT ON COLUMN weixin.schema_migrations.version IS 'Number of the migration file in sql/migrations, declared or account_days';
COMMENT ON COLUMN weixin.schema_migrations.sha256 IS 'SHA-256 of its text, in hexadecimal: a migration that was edited since is refused';
COMMENT ON COLUMN weixin.schema_migrations.applied_at IS 'When it was applied';

CREATE TABLE weixin.dim_account (
    appid text PRIMARY KEY,
    name text NOT NULL,
    conn_id text NOT NULL,
    unique_name text,
    is_active boolean NOT NULL DEFAULT TRUE,
    first_seen_at timestamptz NOT NULL
);
-- Whoever adds or renames an account, the names that analysts see stay unique.
CREATE FUNCTION weixin.make_names_unique() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE weixin.dim_account AS account
    SET unique_name = named.unique_name
    FROM (
        SELECT
            appid,
            CASE
                WHEN count(*) OVER (PARTITION BY name) > 1 THEN format('%s (%s)', name, appid)
                ELSE name
            END AS unique_name
        FROM weixin.dim_account
    ) AS named
    WHERE
        account.appid = named.appid
        AND account.unique_name IS DISTINCT FROM named.unique_name;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION weixin.make_names_unique() IS 'Fill in unique_name of dim_account after an account was added or renamed';
CREATE TRIGGER dim_account_names
AFTER INSERT OR UPDATE OF name ON weixin.dim_account
FOR EACH STATEMENT EXECUTE FUNCTION weixin.make_names_unique();
COMMENT ON TABLE weixin.dim_account IS 'One row per Official Account that a run has planned, or of which answers were imported';
COMMENT ON COLUMN weixin.dim_account.appid IS 'AppID of the Official Account at WeChat';
COMMENT ON COLUMN weixin.dim_account.name IS 'Display name: extra "name" of its Airflow connection, else the connection id';
COMMENT ON COLUMN weixin.dim_account.unique_name IS 'The name where no other account has it, else the name and the AppID: 都市晨报 (wxa3)';
COMMENT ON COLUMN weixin.dim_account.conn_id IS 'Airflow connection that holds its credentials; empty while it is known from imported answers only';
COMMENT ON COLUMN weixin.dim_account.is_active IS 'Whether it is in the list of accounts to collect (Airflow Variable weixin_accounts)';
COMMENT ON COLUMN weixin.dim_account.first_seen_at IS 'When the pipeline first planned it, or imported an answer of it';

CREATE TABLE weixin.collected_since (
    appid text NOT NULL,
    dataset text NOT NULL,
    since_date date NOT NULL,
    catch_up_days integer NOT NULL,
    PRIMARY KEY (appid, dataset)
);
COMMENT ON TABLE weixin.collected_since IS 'One row per account and dataset that a daily run has planned: which days daily runs are to bring in';
COMMENT ON COLUMN weixin.collected_since.appid IS 'The account';
COMMENT ON COLUMN weixin.collected_since.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.collected_since.since_date IS 'The first day that daily runs are to bring in: a window before the account''s first daily run in the dataset';
COMMENT ON COLUMN weixin.collected_since.catch_up_days IS 'How many days before the window the newest daily run asked for ([weixin] catch_up_days): an older open day is lost to daily runs';

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
    extra jsonb,
    first_seen_at timestamptz NOT NULL,
    unlisted_since jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (appid, msgid)
);
-- The account comes last. If it came first, a planner without statistics would read all articles of
-- an account for each article.
CREATE INDEX dim_article_publication_date ON weixin.dim_article (publication_date, appid);
-- The index holds few articles.
CREATE INDEX dim_article_is_unlisted ON weixin.dim_article (appid)
WHERE jsonb_path_exists(unlisted_since, '$.* ? (@ != null)');
CREATE INDEX dim_article_is_unseen ON weixin.dim_article (appid, publication_date)
WHERE NOT unlisted_since ? 'article_total';
COMMENT ON TABLE weixin.dim_article IS 'One row per article of an account; each attribute is the newest non-null value WeChat gave';
COMMENT ON COLUMN weixin.dim_article.appid IS 'The account: msgids repeat between accounts';
COMMENT ON COLUMN weixin.dim_article.msgid IS 'WeChat''s id of the article, <message>_<position>';
COMMENT ON COLUMN weixin.dim_article.message_id IS 'The message the article was sent in: msgid before the last underscore; null when msgid has another form';
COMMENT ON COLUMN weixin.dim_article.position IS 'Its position in the message, from 1; null when msgid has another form';
COMMENT ON COLUMN weixin.dim_article.publication_date IS 'Day of publication (Beijing); if answers list it under two days, the later one';
COMMENT ON COLUMN weixin.dim_article.title IS 'Title';
COMMENT ON COLUMN weixin.dim_article.url IS 'Address as item key url (undocumented)';
COMMENT ON COLUMN weixin.dim_article.content_url IS 'Address as item key content_url';
COMMENT ON COLUMN weixin.dim_article.publish_type IS '0: followers were notified, 1: they were not; only getarticletotaldetail gives it';
COMMENT ON COLUMN weixin.dim_article.extra IS 'Item keys the pipeline does not know, and known ones whose value has an unexpected type';
COMMENT ON COLUMN weixin.dim_article.first_seen_at IS 'Fetch time of the earliest answer that listed it';
COMMENT ON COLUMN weixin.dim_article.unlisted_since IS 'By dataset that ever listed it: fetch time of its first ready answer for the publication day that no longer did, or null while the newest one does; one may list an article that the other does not';

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

CREATE TABLE weixin.raw_response (
    raw_response_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    appid text NOT NULL,
    day date NOT NULL,
    body bytea,
    body_sha256 bytea NOT NULL,
    fetched_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);
-- The bodies are compressed already.
ALTER TABLE weixin.raw_response ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX raw_response_slice ON weixin.raw_response (appid, dataset, day);
COMMENT ON TABLE weixin.raw_response IS 'One row per successful answer for a dataset, account and day. An answer identical to the newest one only updates last_seen_at. Bodies of errors are not kept';
COMMENT ON COLUMN weixin.raw_response.raw_response_id IS 'Surrogate key';
COMMENT ON COLUMN weixin.raw_response.dataset IS 'Which endpoint answered: article_total, …';
COMMENT ON COLUMN weixin.raw_response.appid IS 'The account asked for';
COMMENT ON COLUMN weixin.raw_response.day IS 'The day asked for (Beijing): a publication day or, of datasets such as article_read, the statistics day';
COMMENT ON COLUMN weixin.raw_response.body IS 'The exact bytes of the answer, compressed with Zstandard: `weixin-etl answers` prints them; null once `weixin-etl prune` has removed them';
COMMENT ON COLUMN weixin.raw_response.body_sha256 IS 'SHA-256 of the answer, not compressed';
COMMENT ON COLUMN weixin.raw_response.fetched_at IS 'When this answer was first fetched';
COMMENT ON COLUMN weixin.raw_response.last_seen_at IS 'When the same bytes were last fetched with no other answer in between';

CREATE TABLE weixin.coverage (
    appid text NOT NULL,
    dataset text NOT NULL,
    day date NOT NULL,
    settled text CHECK (settled IN ('final', 'given_up')),
    ready_at timestamptz,
    list_sha256 bytea,
    article_count integer NOT NULL,
    attempted_at timestamptz NOT NULL,
    error_kind text,
    error_code integer,
    error text,
    cure text,
    listed_since timestamptz,
    fetched_at timestamptz,
    through_date date,
    newest_date date,
    row_count integer,
    fell_at timestamptz,
    fall text,
    PRIMARY KEY (appid, dataset, day),
    CHECK (settled IS DISTINCT FROM 'final' OR ready_at IS NOT NULL),
    CHECK (error_kind IS NOT NULL OR ready_at IS NOT NULL)
) WITH (fillfactor = 50);
CREATE INDEX coverage_is_open ON weixin.coverage (appid, dataset, day) WHERE settled IS NULL;
CREATE INDEX coverage_is_given_up ON weixin.coverage (appid, dataset, day)
WHERE settled = 'given_up';
CREATE INDEX coverage_has_fallen ON weixin.coverage (appid, dataset, fell_at)
WHERE fell_at IS NOT NULL;
COMMENT ON TABLE weixin.coverage IS 'One row per dataset, account and day ever asked for: what we have of it, and beside that how the last attempt ended';
COMMENT ON COLUMN weixin.coverage.appid IS 'The account';
COMMENT ON COLUMN weixin.coverage.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.coverage.day IS 'The day asked for (Beijing): a publication day or, of datasets such as article_read, the statistics day';
COMMENT ON COLUMN weixin.coverage.settled IS 'Why the day is not asked for again: final, because its totals have stopped growing and the answers of two days after its window agree (of a statistics day: because a ready answer came on the last morning on which it is asked for, or later); given_up, because its answer can''t be read or none of its articles has a figure; null while it is open';
COMMENT ON COLUMN weixin.coverage.ready_at IS 'Fetch time of the newest ready answer: one that held all that WeChat must have computed by then; null when none was';
COMMENT ON COLUMN weixin.coverage.list_sha256 IS 'SHA-256 of the msgids that this answer lists; null if no answer of that morning listed an article of the account, because an empty list then proves nothing';
COMMENT ON COLUMN weixin.coverage.article_count IS 'The most articles (of a statistics day: rows) that an answer has listed';
COMMENT ON COLUMN weixin.coverage.attempted_at IS 'When the last attempt was answered or abandoned';
COMMENT ON COLUMN weixin.coverage.error_kind IS 'The problem of the last attempt, as weixin_etl.problem.ProblemKind names it; null if its answer was ready, unless the day was given up for no_figures';
COMMENT ON COLUMN weixin.coverage.error_code IS 'WeChat''s errcode of the last attempt, if it gave one';
COMMENT ON COLUMN weixin.coverage.error IS 'What happened in the last attempt, with WeChat''s words; null if error_kind is';
COMMENT ON COLUMN weixin.coverage.cure IS 'What to change or, if nothing, what happens next; null if error_kind is';
COMMENT ON COLUMN weixin.coverage.listed_since IS 'Since when consecutive ready answers have listed the same articles: fetch time of the first of them; null when list_sha256 is null';
COMMENT ON COLUMN weixin.coverage.fetched_at IS 'Fetch time of the newest loaded answer, ready or not';
COMMENT ON COLUMN weixin.coverage.through_date IS 'The last stat_date that every article of that answer reaches; null when one has no row or there is none';
COMMENT ON COLUMN weixin.coverage.newest_date IS 'The last stat_date for which any article of that answer has figures; null when none has';
COMMENT ON COLUMN weixin.coverage.row_count IS 'Rows in that answer, without rejected ones';
COMMENT ON COLUMN weixin.coverage.fell_at IS 'Fetch time of the newest answer in which a running total was lower than before; null when none ever was';
COMMENT ON COLUMN weixin.coverage.fall IS 'The largest fall of that answer: msgid, stat_date, metric, the total before and the total now; behind it how many more totals fell';

CREATE TABLE weixin.rejected_row (
    rejected_row_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    appid text NOT NULL,
    day date NOT NULL,
    msgid text,
    stat_date date,
    code text NOT NULL,
    field text,
    reason text NOT NULL,
    payload text NOT NULL,
    raw_response_id bigint NOT NULL,
    rejected_at timestamptz NOT NULL,
    resolved_at timestamptz
);
CREATE INDEX rejected_row_raw_response_id ON weixin.rejected_row (raw_response_id);
CREATE INDEX rejected_row_is_open ON weixin.rejected_row (appid, dataset, day)
WHERE resolved_at IS NULL;
COMMENT ON TABLE weixin.rejected_row IS 'One row per part of an answer that does not fit: a value of a row, a whole row, or an article; what remains of the answer was loaded';
COMMENT ON COLUMN weixin.rejected_row.rejected_row_id IS 'Surrogate key';
COMMENT ON COLUMN weixin.rejected_row.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.rejected_row.appid IS 'The account';
COMMENT ON COLUMN weixin.rejected_row.day IS 'The day asked for (Beijing)';
COMMENT ON COLUMN weixin.rejected_row.msgid IS 'The article, where the answer names one; of follower_change the channel; empty in a dataset without either';
COMMENT ON COLUMN weixin.rejected_row.stat_date IS 'The day whose total it is (Beijing); null for an article, and if the answer gives no valid date: see payload';
COMMENT ON COLUMN weixin.rejected_row.code IS 'Why it does not fit: text, negative, rows_missing, … Parts with the same code have the same reason but for the key';
COMMENT ON COLUMN weixin.rejected_row.field IS 'The key of the answer that does not fit: a metric, stat_date, msgid, …; null where a whole row or entry does not';
COMMENT ON COLUMN weixin.rejected_row.reason IS 'What does not fit and what became of it, as a sentence; of the answer only keys are quoted, and a msgid that cannot be stored';
COMMENT ON COLUMN weixin.rejected_row.payload IS 'The rejected part as JSON text';
COMMENT ON COLUMN weixin.rejected_row.raw_response_id IS 'The answer that contains it';
COMMENT ON COLUMN weixin.rejected_row.rejected_at IS 'When it was rejected';
COMMENT ON COLUMN weixin.rejected_row.resolved_at IS 'When a newer answer for the day no longer contained the part, or a replay accepted it; null while it is open';

CREATE TABLE weixin.run_report (
    run_id text NOT NULL,
    dataset text NOT NULL,
    appid text NOT NULL,
    day date NOT NULL,
    planned_at timestamptz NOT NULL,
    calls integer NOT NULL DEFAULT 0,
    inserted integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    attempted_at timestamptz,
    PRIMARY KEY (run_id, dataset, appid, day)
) WITH (fillfactor = 80);
CREATE INDEX run_report_slice ON weixin.run_report (appid, dataset, day);
COMMENT ON TABLE weixin.run_report IS 'One row per account and day that a run''s newest plan names: what the run has done since. A record: nothing is decided from it';
COMMENT ON COLUMN weixin.run_report.run_id IS 'Airflow''s run id';
COMMENT ON COLUMN weixin.run_report.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.run_report.appid IS 'The account';
COMMENT ON COLUMN weixin.run_report.day IS 'The day asked for (Beijing): a publication day or, of datasets such as article_read, the statistics day';
COMMENT ON COLUMN weixin.run_report.planned_at IS 'When the run was last planned: the day is in once any run has fetched a ready answer since';
COMMENT ON COLUMN weixin.run_report.calls IS 'Data calls made, repeated tries of a call included';
COMMENT ON COLUMN weixin.run_report.inserted IS 'Rows new in the fact';
COMMENT ON COLUMN weixin.run_report.updated IS 'Rows of the fact that changed';
COMMENT ON COLUMN weixin.run_report.unchanged IS 'Rows answered that the fact already held';
COMMENT ON COLUMN weixin.run_report.rejected IS 'Parts of answers that did not fit, see rejected_row';
COMMENT ON COLUMN weixin.run_report.attempted_at IS 'When the run''s last attempt was answered or abandoned; null while it has not asked';

-- The facts share one history. The facts themselves are declared: see fact/table.sql.
CREATE TABLE weixin.fact_history (
    dataset text NOT NULL,
    appid text NOT NULL,
    item text NOT NULL,
    stat_date date NOT NULL,
    changed_at timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('wechat', 'replay')),
    row jsonb NOT NULL,
    PRIMARY KEY (appid, dataset, item, stat_date, changed_at)
);
CREATE INDEX fact_history_replaced_at ON weixin.fact_history USING brin (replaced_at);
COMMENT ON TABLE weixin.fact_history IS 'One row per replaced row of a fact, with its values from changed_at until replaced_at. The next row of the same key has changed_at = this replaced_at; the newest row is in the fact';
COMMENT ON COLUMN weixin.fact_history.dataset IS 'Which fact: article_total, …';
COMMENT ON COLUMN weixin.fact_history.appid IS 'The account';
COMMENT ON COLUMN weixin.fact_history.item IS 'The rest of the fact''s key: the article''s msgid, or the channel''s number as a text; empty in other datasets';
COMMENT ON COLUMN weixin.fact_history.stat_date IS 'The day (Beijing) of the row';
COMMENT ON COLUMN weixin.fact_history.changed_at IS 'Since when the row had these values';
COMMENT ON COLUMN weixin.fact_history.replaced_at IS 'When it was replaced: changed_at of the row that replaced it';
COMMENT ON COLUMN weixin.fact_history.cause IS 'Why the row was replaced. wechat: a newer answer; replay: the fact was rebuilt from the kept answers, with a newer parser or with answers that were imported late';
COMMENT ON COLUMN weixin.fact_history.row IS 'The whole replaced row of the fact';

CREATE TABLE weixin.finding (
    dataset text NOT NULL,
    source text NOT NULL,
    kind text NOT NULL,
    appid text,
    subject text,
    account text NOT NULL,
    conn_id text NOT NULL,
    cause text NOT NULL,
    cure text NOT NULL,
    days date[] NOT NULL,
    code text NOT NULL,
    run_id text NOT NULL,
    found_at timestamptz NOT NULL
);
CREATE INDEX finding_source ON weixin.finding (dataset, source);
COMMENT ON TABLE weixin.finding IS 'One row per problem as a task reported it: an unusable connection, a failed task, missing days, a run past its deadline. Coverage may have it too: the finding takes its place for its days until they are attempted again. Each task replaces its own findings';
COMMENT ON COLUMN weixin.finding.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.finding.source IS 'The task that found it; deadline or run if the run''s end was noticed outside its tasks';
COMMENT ON COLUMN weixin.finding.kind IS 'The kind of problem: a name of weixin_etl.problem.ProblemKind';
COMMENT ON COLUMN weixin.finding.appid IS 'The account; null when it concerns the whole run, or a connection';
COMMENT ON COLUMN weixin.finding.subject IS 'What distinguishes it from others of its kind: a task, a connection''s id';
COMMENT ON COLUMN weixin.finding.account IS 'What people call the account; empty when it concerns the whole run';
COMMENT ON COLUMN weixin.finding.conn_id IS 'The account''s Airflow connection; empty when it concerns the whole run';
COMMENT ON COLUMN weixin.finding.cause IS 'What happened';
COMMENT ON COLUMN weixin.finding.cure IS 'What to change or, if nothing, what happens next';
COMMENT ON COLUMN weixin.finding.days IS 'The days concerned (Beijing); empty when it concerns all of an account or of a run';
COMMENT ON COLUMN weixin.finding.code IS 'WeChat''s errcode, an SQLSTATE, or a name of what went wrong; else empty';
COMMENT ON COLUMN weixin.finding.run_id IS 'The run whose task found it';
COMMENT ON COLUMN weixin.finding.found_at IS 'When it was found last';

CREATE TABLE weixin.incident (
    incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    dedup_key text NOT NULL,
    severity text NOT NULL,
    kind text NOT NULL,
    appid text,
    subject text,
    account text NOT NULL,
    conn_id text NOT NULL,
    cause text NOT NULL,
    cure text NOT NULL,
    days date[] NOT NULL,
    code text NOT NULL,
    opened_at timestamptz NOT NULL,
    news_at timestamptz NOT NULL,
    told_at timestamptz,
    closed_at timestamptz,
    closing_told_at timestamptz
);
CREATE UNIQUE INDEX incident_is_open_once ON weixin.incident (dataset, dedup_key)
WHERE closed_at IS NULL;
CREATE INDEX incident_opened_at ON weixin.incident (opened_at);
COMMENT ON TABLE weixin.incident IS 'One row per alert that people are notified of, from its beginning to its end, however many runs and days are affected: one message when it begins, one when the cure changes, one when it ends';
COMMENT ON COLUMN weixin.incident.incident_id IS 'Surrogate key';
COMMENT ON COLUMN weixin.incident.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.incident.dedup_key IS 'The key that identifies the alert across checks: the account, or the kind where one action resolves it for all accounts';
COMMENT ON COLUMN weixin.incident.severity IS 'failure: somebody has to act; waiting: figures are missing, and daily runs ask for them again; warning: something to know';
COMMENT ON COLUMN weixin.incident.kind IS 'The kind of problem when it was last observed: a name of weixin_etl.problem.ProblemKind';
COMMENT ON COLUMN weixin.incident.appid IS 'The account; null when it concerns several, the whole run, or a connection: see subject';
COMMENT ON COLUMN weixin.incident.subject IS 'What else it is about: a metric, a task, a connection''s id';
COMMENT ON COLUMN weixin.incident.account IS 'What people call the account; empty when it concerns the whole run';
COMMENT ON COLUMN weixin.incident.conn_id IS 'The account''s Airflow connection; empty when it concerns the whole run';
COMMENT ON COLUMN weixin.incident.cause IS 'What happened, when it was last observed';
COMMENT ON COLUMN weixin.incident.cure IS 'What to change or, if nothing, what happens next';
COMMENT ON COLUMN weixin.incident.days IS 'The days that are not in because of it (Beijing), oldest first';
COMMENT ON COLUMN weixin.incident.code IS 'WeChat''s errcode, an SQLSTATE, or a name of what went wrong; else empty';
COMMENT ON COLUMN weixin.incident.opened_at IS 'When it was first observed';
COMMENT ON COLUMN weixin.incident.news_at IS 'Since when there is something to notify people of: the alert began, or its cure changed';
COMMENT ON COLUMN weixin.incident.told_at IS 'When a message about it, or about the same act for another dataset, was delivered last; null until then';
COMMENT ON COLUMN weixin.incident.closed_at IS 'When it was found to be over; null while it is open';
COMMENT ON COLUMN weixin.incident.closing_told_at IS 'When the message about its end, or about that of the same act for another dataset, was delivered; null until then. Equal to closed_at if no such message is sent';

CREATE TABLE weixin.digest (
    day date PRIMARY KEY,
    sent_at timestamptz NOT NULL
);
COMMENT ON TABLE weixin.digest IS 'One row per day whose digest was delivered, so that it is sent once';
COMMENT ON COLUMN weixin.digest.day IS 'The day whose figures it tells (Beijing)';
COMMENT ON COLUMN weixin.digest.sent_at IS 'When it was delivered';

CREATE TABLE weixin.api_call (
    appid text NOT NULL,
    endpoint text NOT NULL,
    beijing_date date NOT NULL,
    calls integer NOT NULL DEFAULT 0,
    PRIMARY KEY (appid, endpoint, beijing_date)
) WITH (fillfactor = 50);
COMMENT ON TABLE weixin.api_call IS 'One row per account, endpoint and day in Beijing: the calls that all runs made';
COMMENT ON COLUMN weixin.api_call.appid IS 'The account';
COMMENT ON COLUMN weixin.api_call.endpoint IS 'The endpoint''s path: /datacube/getarticletotal, …';
COMMENT ON COLUMN weixin.api_call.beijing_date IS 'The day whose quota the calls use (Beijing)';
COMMENT ON COLUMN weixin.api_call.calls IS 'Data calls made, repeated tries of a call included, and those that a try at work has reserved; a call belongs to the day on which it was reserved';

CREATE TABLE weixin.platform_token (
    component_appid text NOT NULL,
    appid text NOT NULL,
    name text,
    is_official_account boolean,
    access_token text,
    expires_at timestamptz,
    refresh_token text,
    authorized_at timestamptz,
    PRIMARY KEY (component_appid, appid)
) WITH (fillfactor = 50);
COMMENT ON TABLE weixin.platform_token IS 'One row per account that has authorised a third-party platform, and one per platform: their tokens, which all workers share. Each is encrypted with Airflow''s Fernet key, and worth nothing without it';
COMMENT ON COLUMN weixin.platform_token.component_appid IS 'The platform''s AppID: the login of its connection';
COMMENT ON COLUMN weixin.platform_token.appid IS 'The account; the platform itself in the row of its own token';
COMMENT ON COLUMN weixin.platform_token.name IS 'The account''s name at WeChat when it was found; null until WeChat has said';
COMMENT ON COLUMN weixin.platform_token.is_official_account IS 'Whether it has articles: false for mini programs and video accounts, null until WeChat has said';
COMMENT ON COLUMN weixin.platform_token.access_token IS 'The token in force, encrypted; null before the first one, and after the authorisation was renewed';
COMMENT ON COLUMN weixin.platform_token.expires_at IS 'When the token expires';
COMMENT ON COLUMN weixin.platform_token.refresh_token IS 'The refresh token that the next token is requested with, encrypted; null in the row of a platform';
COMMENT ON COLUMN weixin.platform_token.authorized_at IS 'When the account last authorised the platform, by WeChat''s list; null in the row of a platform';

CREATE TABLE weixin.writer_lock (
    lock_name text PRIMARY KEY
);
COMMENT ON TABLE weixin.writer_lock IS 'One row per thing that writers do one at a time: whoever does it holds a lock on the row. Only users who may write can lock a row';
COMMENT ON COLUMN weixin.writer_lock.lock_name IS 'load:<appid>, a commit of an account; ingest:<dataset>:<appid>, a run that asks for an account; incident:<dataset>, a look at what is wrong; messages, what people are told';

-- Each commit calls this function. Autovacuum checks tables only once a minute, and only the owner
-- of a table may analyse it. Without statistics the planner expects one article per account,
-- and the first backfill would read all articles of an account for each article. The factor keeps
-- ANALYZE rare.
-- Unless pg_temp is named last, Postgres searches the caller's temporary views first, and functions
-- in such a view would run with the owner's rights.
CREATE FUNCTION weixin.analyse_grown() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET default_statistics_target = 10 AS $$
DECLARE
    grown text;
BEGIN
    SELECT string_agg(
        format(
            '%s (%s)', oid::regclass, (
                SELECT string_agg(quote_ident(attname), ', ')
                FROM pg_catalog.pg_attribute
                WHERE
                    attrelid = pg_class.oid
                    AND attnum IN (
                        SELECT unnest(indkey) FROM pg_catalog.pg_index WHERE indrelid = pg_class.oid
                    )
            )
        ), ', '
    ) INTO grown
    FROM pg_catalog.pg_class
    WHERE
        relnamespace = 'weixin'::regnamespace
        AND relkind = 'r'
        AND relhasindex
        AND pg_relation_size(oid) > 4 * relpages::bigint * current_setting('block_size')::bigint;
    IF grown IS NOT NULL THEN
        EXECUTE 'ANALYZE (SKIP_LOCKED) ' || grown;
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION weixin.analyse_grown() FROM public;
COMMENT ON FUNCTION weixin.analyse_grown() IS 'Analyse the columns in indexes of the tables that have grown to four times what they were when somebody last did';

-- The views and functions of this schema are files under sql/analytics.
CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'What analysts query: views over the facts, each with its grain and every column described';

-- This is a table because the planner has no statistics for generate_series().
CREATE TABLE analytics.calendar (
    calendar_date date PRIMARY KEY,
    iso_week text NOT NULL,
    month text NOT NULL,
    weekday smallint NOT NULL,
    weekday_name text NOT NULL
);
INSERT INTO analytics.calendar
SELECT
    calendar_date,
    to_char(calendar_date, 'IYYY-"W"IW'),
    to_char(calendar_date, 'YYYY-MM'),
    weekday,
    (ARRAY['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[weekday]
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
COMMENT ON COLUMN analytics.calendar.month IS 'Its month, as 2026-11
中文：月份';
COMMENT ON COLUMN analytics.calendar.weekday IS 'Its weekday: 1 Monday … 7 Sunday
中文：星期（1 为星期一）';
COMMENT ON COLUMN analytics.calendar.weekday_name IS 'Its weekday in English
中文：星期（英文）';
