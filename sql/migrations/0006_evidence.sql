-- migrate:up

-- What is final rests on two days' answers, several installations may share a warehouse, and an
-- article has one publication day.

ALTER TABLE weixin.dim_account ADD COLUMN left_at timestamptz;
COMMENT ON COLUMN weixin.dim_account.is_active IS 'Whether an installation lists it among the accounts to collect (Airflow Variable weixin_accounts), see account_list';
COMMENT ON COLUMN weixin.dim_account.left_at IS 'When a run first found that no installation lists it any longer; null while one does, or if none ever did';

CREATE TABLE weixin.account_list (
    installation text NOT NULL,
    appid text NOT NULL,
    conn_id text NOT NULL,
    listed_at timestamptz NOT NULL,
    PRIMARY KEY (installation, appid)
);
COMMENT ON TABLE weixin.account_list IS 'One row per installation of Airflow and account in its list of accounts to collect, by its newest plan: an account is collected as long as any installation lists it';
COMMENT ON COLUMN weixin.account_list.installation IS 'Which Airflow: its Variable weixin_installation';
COMMENT ON COLUMN weixin.account_list.appid IS 'The account';
COMMENT ON COLUMN weixin.account_list.conn_id IS 'Airflow connection of the account there';
COMMENT ON COLUMN weixin.account_list.listed_at IS 'When the installation planned last: one that has not planned for a week no longer counts';

ALTER TABLE weixin.dim_article ADD COLUMN other_publication_dates date[];
COMMENT ON COLUMN weixin.dim_article.publication_date IS 'Day of publication (Beijing): that of the newest answer, of any dataset, that lists the article. If answers fetched on one day in Beijing list it under several publication days, the latest of these';
COMMENT ON COLUMN weixin.dim_article.other_publication_dates IS 'Other publication days under which answers list it or once listed it, oldest first; null if there is none, as for nearly all articles';
COMMENT ON COLUMN weixin.fact_article_total.publication_date IS 'The article''s publication day (Beijing), as in dim_article. If WeChat moves the article to another day, this changes without a version in the history; stat_date may then be earlier';
COMMENT ON COLUMN weixin.fact_article_total_detail.publication_date IS 'The article''s publication day (Beijing), as in dim_article. If WeChat moves the article to another day, this changes without a version in the history; stat_date may then be earlier';

ALTER TABLE weixin.coverage
ADD COLUMN is_resting boolean NOT NULL DEFAULT FALSE,
ADD COLUMN list_sha256 bytea,
ADD COLUMN list_since_date date,
ADD COLUMN list_changes integer NOT NULL DEFAULT 0,
ADD CHECK (NOT (is_final AND (is_resting OR is_provisional)));
CREATE INDEX coverage_is_open ON weixin.coverage (appid, dataset, publication_date)
WHERE NOT is_final;
CREATE INDEX coverage_is_resting ON weixin.coverage (appid, dataset)
WHERE is_resting;
COMMENT ON COLUMN weixin.coverage.is_provisional IS 'Whether what the newest ready answer lists must not be relied on yet: an empty list that came before ready_hour of the day after publication, or on a day on which no answer listed an article of the account; or, once the window is over, a list that no other day''s answer has confirmed';
COMMENT ON COLUMN weixin.coverage.is_final IS 'Whether the totals have stopped growing, and two days'' answers list the same articles, so that the day is not asked for again';
COMMENT ON COLUMN weixin.coverage.is_resting IS 'Whether it would be final, but its newest answer is empty and came on a day on which no answer listed an article of the account: it is asked for again once an answer lists one';
COMMENT ON COLUMN weixin.coverage.list_sha256 IS 'SHA-256 of the msgids listed by the newest answer that counts as evidence: one from the last day but one of the window on and, if empty, from a day on which the account lists articles';
COMMENT ON COLUMN weixin.coverage.list_since_date IS 'Day (Beijing) since which all answers that count have listed the same: an answer of a later day confirms it';
COMMENT ON COLUMN weixin.coverage.list_changes IS 'How often that list has changed, counted at most once a day';

ALTER TABLE weixin.rejected_row ADD COLUMN metric text;
COMMENT ON TABLE weixin.rejected_row IS 'One row per part of an answer that does not fit: a value of a row, a whole row, or an article; what remains of the answer was loaded';
COMMENT ON COLUMN weixin.rejected_row.stat_date IS 'The day whose total it is (Beijing); null for an article, and if the answer gives no valid date: see payload';
COMMENT ON COLUMN weixin.rejected_row.metric IS 'Whose value it is; null when a whole row or article does not fit';
COMMENT ON COLUMN weixin.rejected_row.reason IS 'What does not fit: the key, and the kind of value; nothing of the answer is quoted';
COMMENT ON COLUMN weixin.rejected_row.resolved_at IS 'When a later answer gave a valid value, or a replay found that it fits now or is rejected for another reason; null while it is open';
-- reasons used to quote the value
UPDATE weixin.rejected_row
SET reason = regexp_replace(reason, '^(?!an? )(\w+) .* is (not|longer) ', '\1 is \2 ')
WHERE reason ~ '^(?!an? )\w+ .* is (not|longer) ';

ALTER TABLE weixin.run_report
ADD COLUMN installation text NOT NULL DEFAULT '',
ADD COLUMN is_witness boolean NOT NULL DEFAULT FALSE,
ADD COLUMN is_unannounced boolean NOT NULL DEFAULT FALSE,
DROP CONSTRAINT run_report_pkey,
ADD PRIMARY KEY (run_id, dataset, appid, publication_date, installation);
UPDATE weixin.run_report SET is_unannounced = TRUE
WHERE announced_at IS NULL AND inserted + updated > 0;
ALTER TABLE weixin.run_report DROP COLUMN announced_at;
CREATE INDEX run_report_to_announce ON weixin.run_report (dataset)
WHERE is_unannounced;
COMMENT ON COLUMN weixin.run_report.installation IS 'Which Airflow''s run: installations that share a warehouse use the same run ids';
COMMENT ON COLUMN weixin.run_report.planned_at IS 'When the run was last planned: the pair is in if any run has fetched a ready answer since';
COMMENT ON COLUMN weixin.run_report.is_witness IS 'Whether the pair is asked for, final or not, because none of the account''s other days lists an article: it shows whether WeChat is silent';
COMMENT ON COLUMN weixin.run_report.is_unannounced IS 'Whether rows changed that no event of Airflow''s asset has announced yet';

ALTER TABLE weixin.incident ADD COLUMN installation text NOT NULL DEFAULT '';
DROP INDEX weixin.incident_is_open_once;
CREATE UNIQUE INDEX incident_is_open_once
ON weixin.incident (dataset, installation, kind, coalesce(appid, ''), coalesce(subject, ''))
WHERE closed_at IS NULL;
COMMENT ON COLUMN weixin.incident.installation IS 'Which Airflow found it: its Variable weixin_installation; empty if unknown, as for a missed deadline: then a later result of that run, or any daily run, ends it';
COMMENT ON COLUMN weixin.incident.publication_dates IS 'The publication days concerned (Beijing), without those that have come in since';

CREATE TABLE weixin.unwanted_range (
    dataset text NOT NULL,
    appid text NOT NULL,
    begin_date date NOT NULL,
    end_date date NOT NULL,
    said_at timestamptz NOT NULL,
    said_by text NOT NULL,
    PRIMARY KEY (appid, dataset, begin_date, end_date)
);
COMMENT ON TABLE weixin.unwanted_range IS 'One row per dataset, account and range of publication days that somebody said are not wanted: unless asked for since, or within reach of daily runs, these days are no problem';
COMMENT ON COLUMN weixin.unwanted_range.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.unwanted_range.appid IS 'The account';
COMMENT ON COLUMN weixin.unwanted_range.begin_date IS 'First publication day (Beijing)';
COMMENT ON COLUMN weixin.unwanted_range.end_date IS 'Last publication day (Beijing)';
COMMENT ON COLUMN weixin.unwanted_range.said_at IS 'When that was said: an attempt since then makes a day wanted again';
COMMENT ON COLUMN weixin.unwanted_range.said_by IS 'Who said it: the user of the operating system who ran weixin-etl unwanted';

CREATE TABLE weixin.writer_lock (
    lock_name text PRIMARY KEY
);
COMMENT ON TABLE weixin.writer_lock IS 'One row per thing that writers do one at a time: whoever does it holds a lock on the row. Only users who may write can lock a row';
COMMENT ON COLUMN weixin.writer_lock.lock_name IS 'load:<appid>, a commit of an account; ingest:<dataset>:<appid>, a run that asks for an account; incident:<dataset>, a look at what is wrong';

-- An article had the day of the first answer that listed it, and each row that of its own answer.
WITH listed AS (
    SELECT
        appid,
        msgid,
        publication_date
    FROM weixin.dim_article
    UNION
    SELECT
        appid,
        msgid,
        publication_date
    FROM weixin.fact_article_total
    UNION
    SELECT
        appid,
        msgid,
        publication_date
    FROM weixin.fact_article_total_detail
),

moved AS (
    SELECT
        appid,
        msgid,
        array_agg(publication_date ORDER BY publication_date) AS all_days
    FROM listed
    GROUP BY appid, msgid
    HAVING count(*) > 1
),

newest AS (
    SELECT DISTINCT ON (sighting.appid, sighting.msgid)
        sighting.appid,
        sighting.msgid,
        answer.publication_date
    FROM moved
    INNER JOIN weixin.article_sighting AS sighting
        ON moved.appid = sighting.appid AND moved.msgid = sighting.msgid
    INNER JOIN weixin.raw_response AS answer
        ON sighting.raw_response_id = answer.raw_response_id
    ORDER BY
        sighting.appid ASC,
        sighting.msgid ASC,
        (answer.last_seen_at AT TIME ZONE 'Asia/Shanghai')::date DESC,
        answer.publication_date DESC
)

UPDATE weixin.dim_article AS article
SET
    publication_date = newest.publication_date,
    other_publication_dates = array_remove(moved.all_days, newest.publication_date)
FROM moved
INNER JOIN newest ON moved.appid = newest.appid AND moved.msgid = newest.msgid
WHERE article.appid = moved.appid AND article.msgid = moved.msgid;

UPDATE weixin.fact_article_total AS fact
SET publication_date = article.publication_date
FROM weixin.dim_article AS article
WHERE
    article.other_publication_dates IS NOT NULL
    AND fact.appid = article.appid
    AND fact.msgid = article.msgid
    AND fact.publication_date != article.publication_date;

UPDATE weixin.fact_article_total_detail AS fact
SET publication_date = article.publication_date
FROM weixin.dim_article AS article
WHERE
    article.other_publication_dates IS NOT NULL
    AND fact.appid = article.appid
    AND fact.msgid = article.msgid
    AND fact.publication_date != article.publication_date;

-- migrate:down

DROP TABLE weixin.writer_lock;
DROP TABLE weixin.unwanted_range;
DROP INDEX weixin.incident_is_open_once;
DELETE FROM weixin.incident AS of_one USING weixin.incident AS of_another
WHERE
    of_one.closed_at IS NULL
    AND of_another.closed_at IS NULL
    AND of_one.incident_id > of_another.incident_id
    AND of_one.dataset = of_another.dataset
    AND of_one.kind = of_another.kind
    AND coalesce(of_one.appid, '') = coalesce(of_another.appid, '')
    AND coalesce(of_one.subject, '') = coalesce(of_another.subject, '');
ALTER TABLE weixin.incident DROP COLUMN installation;
CREATE UNIQUE INDEX incident_is_open_once
ON weixin.incident (dataset, kind, coalesce(appid, ''), coalesce(subject, ''))
WHERE closed_at IS NULL;
DELETE FROM weixin.run_report AS of_one USING weixin.run_report AS of_another
WHERE
    of_one.run_id = of_another.run_id
    AND of_one.dataset = of_another.dataset
    AND of_one.appid = of_another.appid
    AND of_one.publication_date = of_another.publication_date
    AND of_one.installation > of_another.installation;
ALTER TABLE weixin.run_report
ADD COLUMN announced_at timestamptz,
DROP CONSTRAINT run_report_pkey,
ADD PRIMARY KEY (run_id, dataset, appid, publication_date);
UPDATE weixin.run_report SET announced_at = planned_at
WHERE NOT is_unannounced AND inserted + updated > 0;
ALTER TABLE weixin.run_report
DROP COLUMN installation,
DROP COLUMN is_witness,
DROP COLUMN is_unannounced;
CREATE INDEX run_report_to_announce ON weixin.run_report (dataset)
WHERE announced_at IS NULL AND inserted + updated > 0;
ALTER TABLE weixin.rejected_row DROP COLUMN metric;
ALTER TABLE weixin.coverage
DROP COLUMN is_resting,
DROP COLUMN list_sha256,
DROP COLUMN list_since_date,
DROP COLUMN list_changes;
DROP INDEX weixin.coverage_is_open;
ALTER TABLE weixin.dim_article DROP COLUMN other_publication_dates;
DROP TABLE weixin.account_list;
ALTER TABLE weixin.dim_account DROP COLUMN left_at;
