-- What a task has found: one row each, instead of what it found before. A task that has looked at
-- some accounts only replaces what is theirs.
WITH gone AS (
    DELETE FROM weixin.finding
    WHERE
        dataset = :dataset
        AND source = :source
        AND (
            cast(:looked AS text[]) IS NULL
            OR appid = any(:looked)
            OR conn_id = any(:looked)
        )
)

INSERT INTO weixin.finding (
    dataset,
    source,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    error_code,
    run_id,
    found_at
)
SELECT
    :dataset,
    :source,
    kind,
    appid,
    subject,
    account,
    conn_id,
    cause,
    cure,
    days,
    errcode,
    :run_id,
    :found_at
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS found (
        kind text,
        appid text,
        subject text,
        account text,
        conn_id text,
        cause text,
        cure text,
        days date[],
        errcode integer
    )
