-- migrate:up

CREATE TABLE weixin.incident (
    incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset text NOT NULL,
    kind text NOT NULL,
    appid text,
    subject text,
    account text NOT NULL,
    conn_id text NOT NULL,
    cause text NOT NULL,
    cure text NOT NULL,
    publication_dates date[] NOT NULL,
    error_code integer,
    run_id text,
    opened_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    told_at timestamptz,
    closed_at timestamptz,
    closing_told_at timestamptz
);
CREATE UNIQUE INDEX incident_is_open_once
ON weixin.incident (dataset, kind, coalesce(appid, ''), coalesce(subject, ''))
WHERE closed_at IS NULL;
CREATE INDEX incident_opened_at ON weixin.incident (opened_at);
CREATE INDEX incident_is_untold ON weixin.incident (incident_id)
WHERE told_at IS NULL OR (closed_at IS NOT NULL AND closing_told_at IS NULL);
COMMENT ON TABLE weixin.incident IS 'One row per incident, from its beginning to its end, however many runs and tries are affected: people are told once when it opens and once when it closes';
COMMENT ON COLUMN weixin.incident.incident_id IS 'Surrogate key';
COMMENT ON COLUMN weixin.incident.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.incident.kind IS 'What kind of trouble, as weixin_etl.problem.ProblemKind names it';
COMMENT ON COLUMN weixin.incident.appid IS 'The account; null when it concerns the whole run, or an account without an AppID: see subject';
COMMENT ON COLUMN weixin.incident.subject IS 'What distinguishes it from others of its kind: a metric, a check, a task, an errcode, a connection''s id';
COMMENT ON COLUMN weixin.incident.account IS 'What people call the account; empty when it concerns the whole run';
COMMENT ON COLUMN weixin.incident.conn_id IS 'The account''s Airflow connection; empty when it concerns the whole run';
COMMENT ON COLUMN weixin.incident.cause IS 'What happened, when it was last met';
COMMENT ON COLUMN weixin.incident.cure IS 'What to change or, if nothing, what happens next';
COMMENT ON COLUMN weixin.incident.publication_dates IS 'The publication days concerned (Beijing), oldest first, when it was last met';
COMMENT ON COLUMN weixin.incident.error_code IS 'WeChat''s errcode, if it gave one';
COMMENT ON COLUMN weixin.incident.run_id IS 'The run that met it last';
COMMENT ON COLUMN weixin.incident.opened_at IS 'When it was first met';
COMMENT ON COLUMN weixin.incident.seen_at IS 'When it was last met';
COMMENT ON COLUMN weixin.incident.told_at IS 'When the message about it was delivered; null until then, and again when it has news';
COMMENT ON COLUMN weixin.incident.closed_at IS 'When it was found to be over; null while it is open';
COMMENT ON COLUMN weixin.incident.closing_told_at IS 'When the message about its end was delivered; null until then. Equal to closed_at if no such message is sent';

CREATE TABLE weixin.api_call (
    appid text NOT NULL,
    endpoint text NOT NULL,
    beijing_date date NOT NULL,
    calls integer NOT NULL DEFAULT 0,
    quota_limit integer,
    quota_left integer,
    quota_asked_at timestamptz,
    PRIMARY KEY (appid, endpoint, beijing_date)
) WITH (fillfactor = 50);
COMMENT ON TABLE weixin.api_call IS 'One row per account, endpoint and day in Beijing: the calls all runs made, and what WeChat said of the daily quota';
COMMENT ON COLUMN weixin.api_call.appid IS 'The account';
COMMENT ON COLUMN weixin.api_call.endpoint IS 'The endpoint''s path: /datacube/getarticletotal, …';
COMMENT ON COLUMN weixin.api_call.beijing_date IS 'The day whose quota the calls use (Beijing)';
COMMENT ON COLUMN weixin.api_call.calls IS 'Data calls made, repeated tries of a call included; a call belongs to the day on which it ended';
COMMENT ON COLUMN weixin.api_call.quota_limit IS 'Calls allowed in a day, as WeChat said on this day; null when it has not';
COMMENT ON COLUMN weixin.api_call.quota_left IS 'Calls left of the day as WeChat last said, less those counted since; null when it has not said';
COMMENT ON COLUMN weixin.api_call.quota_asked_at IS 'When WeChat said so: in answer to quota/get, or by 45009';

CREATE TABLE weixin.platform_token (
    component_appid text NOT NULL,
    appid text NOT NULL,
    name text,
    is_official_account boolean,
    access_token text,
    expires_at timestamptz,
    refresh_token text,
    renewed_at timestamptz,
    authorized_at timestamptz,
    first_seen_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    PRIMARY KEY (component_appid, appid)
) WITH (fillfactor = 50);
COMMENT ON TABLE weixin.platform_token IS 'One row per account that has authorised a third-party platform, and one per platform: their tokens, which all workers share. Each is encrypted with Airflow''s Fernet key, and worth nothing without it';
COMMENT ON COLUMN weixin.platform_token.component_appid IS 'The platform''s AppID: the login of its connection';
COMMENT ON COLUMN weixin.platform_token.appid IS 'The account; the platform itself in the row of its own token';
COMMENT ON COLUMN weixin.platform_token.name IS 'The account''s name at WeChat; null until known';
COMMENT ON COLUMN weixin.platform_token.is_official_account IS 'Whether it has articles: false for mini programs and video accounts, null until WeChat has said';
COMMENT ON COLUMN weixin.platform_token.access_token IS 'The token in force, encrypted; null before the first one, and after the authorisation was renewed or withdrawn';
COMMENT ON COLUMN weixin.platform_token.expires_at IS 'When the token expires';
COMMENT ON COLUMN weixin.platform_token.refresh_token IS 'The refresh token that the next token is requested with, encrypted; null in the row of a platform';
COMMENT ON COLUMN weixin.platform_token.renewed_at IS 'When the token was given';
COMMENT ON COLUMN weixin.platform_token.authorized_at IS 'When the account last authorised the platform, by WeChat''s list; null in the row of a platform';
COMMENT ON COLUMN weixin.platform_token.first_seen_at IS 'When it was first found';
COMMENT ON COLUMN weixin.platform_token.withdrawn_at IS 'When it was found that the account has withdrawn its authorisation; null while it has not';

-- migrate:down

DROP TABLE weixin.platform_token;
DROP TABLE weixin.api_call;
DROP TABLE weixin.incident;
