-- How an attempt for each of some pairs ended: one row per pair.
-- A refused attempt leaves what we have as it is.
INSERT INTO weixin.coverage AS coverage (
    dataset,
    appid,
    publication_date,
    ready_at,
    is_final,
    attempt_state,
    attempted_at,
    attempts,
    next_attempt_at,
    error_kind,
    error_code,
    error,
    cure,
    rid
)
SELECT
    :dataset,
    appid,
    publication_date,
    ready_at,
    is_final,
    attempt_state,
    attempted_at,
    CASE attempt_state WHEN 'ok' THEN 0 ELSE 1 END,
    next_attempt_at,
    error_kind,
    error_code,
    error,
    cure,
    rid
FROM jsonb_to_recordset(cast(:verdicts AS jsonb)) AS verdict (
        appid text,
        publication_date date,
        ready_at timestamptz,
        is_final boolean,
        attempt_state text,
        attempted_at timestamptz,
        next_attempt_at timestamptz,
        error_kind text,
        error_code integer,
        error text,
        cure text,
        rid text
    )
ON CONFLICT (dataset, appid, publication_date) DO UPDATE SET
    ready_at = greatest(coverage.ready_at, excluded.ready_at),
    is_final = coverage.is_final OR excluded.is_final,
    attempt_state = excluded.attempt_state,
    attempted_at = excluded.attempted_at,
    attempts = CASE excluded.attempt_state WHEN 'ok' THEN 0 ELSE coverage.attempts + 1 END,
    next_attempt_at = excluded.next_attempt_at,
    error_kind = excluded.error_kind,
    error_code = excluded.error_code,
    error = excluded.error,
    cure = excluded.cure,
    rid = excluded.rid
