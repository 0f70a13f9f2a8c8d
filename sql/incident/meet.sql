-- Troubles that are there: one incident each, as it is now. One that is open goes on, and is told
-- again if it is news; a momentary one is over at once.
INSERT INTO weixin.incident AS incident (
    dataset,
    identity,
    severity,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    error_code,
    opened_at,
    news_at,
    closed_at,
    closing_told_at
)
SELECT
    :dataset,
    identity,
    severity,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    errcode,
    :now,
    CASE WHEN is_news THEN cast(:now AS timestamptz) ELSE '-infinity' END,
    CASE WHEN is_momentary THEN cast(:now AS timestamptz) END,
    CASE WHEN is_momentary THEN cast(:now AS timestamptz) END
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS met (
        identity text,
        severity text,
        kind text,
        appid text,
        subject text,
        account text,
        conn_id text,
        cause text,
        cure text,
        days date[],
        errcode integer,
        is_news boolean,
        is_momentary boolean
    )
ON CONFLICT (dataset, identity) WHERE closed_at IS NULL DO UPDATE SET
    severity = excluded.severity,
    kind = excluded.kind,
    appid = excluded.appid,
    subject = excluded.subject,
    account = excluded.account,
    conn_id = excluded.conn_id,
    cause = excluded.cause,
    cure = excluded.cure,
    days = excluded.days,
    error_code = excluded.error_code,
    news_at = greatest(incident.news_at, excluded.news_at)
