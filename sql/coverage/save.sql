-- How an attempt for each of some pairs of an account ended: one row per publication day.
-- A refused attempt changes the attempt half only. An answer older than the newest loaded one
-- (is_newest false) leaves the data half as well.
INSERT INTO weixin.coverage AS coverage (
    dataset,
    appid,
    publication_date,
    data_state,
    through_date,
    fetched_at,
    is_final,
    article_count,
    row_count,
    attempt_state,
    attempted_at,
    attempts,
    next_attempt_at,
    error_code,
    error
)
SELECT
    :dataset,
    :appid,
    publication_date,
    data_state,
    through_date,
    fetched_at,
    coalesce(is_final, FALSE),
    article_count,
    row_count,
    attempt_state,
    :attempted_at,
    CASE attempt_state WHEN 'ok' THEN 0 ELSE 1 END,
    next_attempt_at,
    error_code,
    error
FROM jsonb_to_recordset(cast(:attempts AS jsonb)) AS attempt (
    publication_date date,
    data_state text,
    through_date date,
    fetched_at timestamptz,
    is_final boolean,
    article_count integer,
    row_count integer,
    attempt_state text,
    next_attempt_at timestamptz,
    error_code integer,
    error text
)
ON CONFLICT (dataset, appid, publication_date) DO UPDATE SET
    data_state = coalesce(excluded.data_state, coverage.data_state),
    through_date = CASE
        WHEN excluded.fetched_at IS NULL THEN coverage.through_date ELSE excluded.through_date
    END,
    fetched_at = coalesce(excluded.fetched_at, coverage.fetched_at),
    is_final = coverage.is_final OR excluded.is_final,
    article_count = coalesce(excluded.article_count, coverage.article_count),
    row_count = coalesce(excluded.row_count, coverage.row_count),
    attempt_state = excluded.attempt_state,
    attempted_at = excluded.attempted_at,
    attempts = CASE excluded.attempt_state WHEN 'ok' THEN 0 ELSE coverage.attempts + 1 END,
    next_attempt_at = excluded.next_attempt_at,
    error_code = excluded.error_code,
    error = excluded.error
