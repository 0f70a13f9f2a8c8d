-- How an attempt for each of some pairs ended: one row per pair.
-- A refused attempt leaves what we have as it is.
INSERT INTO weixin.coverage AS coverage (
    dataset,
    appid,
    publication_date,
    ready_at,
    is_final,
    list_sha256,
    list_since_date,
    list_changes,
    is_resting,
    is_provisional,
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
    decode(list_sha256, 'hex') AS list_sha256,
    list_since_date,
    list_changes,
    is_resting,
    is_provisional,
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
        list_sha256 text,
        list_since_date date,
        list_changes integer,
        is_resting boolean,
        is_provisional boolean,
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
    list_sha256 = coalesce(excluded.list_sha256, coverage.list_sha256),
    list_since_date = coalesce(excluded.list_since_date, coverage.list_since_date),
    list_changes = greatest(coverage.list_changes, excluded.list_changes),
    is_resting = NOT coverage.is_final AND CASE
        WHEN excluded.ready_at IS NULL THEN coverage.is_resting ELSE excluded.is_resting
    END,
    is_provisional = NOT coverage.is_final AND CASE
        WHEN excluded.ready_at IS NULL THEN coverage.is_provisional ELSE excluded.is_provisional
    END,
    attempt_state = excluded.attempt_state,
    attempted_at = excluded.attempted_at,
    attempts = CASE excluded.attempt_state WHEN 'ok' THEN 0 ELSE coverage.attempts + 1 END,
    next_attempt_at = excluded.next_attempt_at,
    error_kind = excluded.error_kind,
    error_code = excluded.error_code,
    error = excluded.error,
    cure = excluded.cure,
    rid = excluded.rid
