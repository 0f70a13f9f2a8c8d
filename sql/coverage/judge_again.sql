-- Pairs whose newest answer is found to be ready by no attempt of a run, but by a replay or an
-- import: one row each. What they had stays at least. An attempt that ended before this answer
-- came, or whose answer it was, is made good by it.
UPDATE weixin.coverage
SET
    ready_at = greatest(coverage.ready_at, verdict.ready_at),
    is_final = coverage.is_final OR verdict.is_final,
    attempt_state = CASE
        WHEN coverage.attempted_at <= verdict.ready_at THEN 'ok' ELSE coverage.attempt_state
    END,
    attempts = CASE
        WHEN coverage.attempted_at <= verdict.ready_at THEN 0 ELSE coverage.attempts
    END,
    next_attempt_at = CASE
        WHEN coverage.attempted_at > verdict.ready_at THEN coverage.next_attempt_at
    END,
    error_kind = CASE WHEN coverage.attempted_at > verdict.ready_at THEN coverage.error_kind END,
    error_code = CASE WHEN coverage.attempted_at > verdict.ready_at THEN coverage.error_code END,
    error = CASE WHEN coverage.attempted_at > verdict.ready_at THEN coverage.error END,
    cure = CASE WHEN coverage.attempted_at > verdict.ready_at THEN coverage.cure END,
    rid = CASE WHEN coverage.attempted_at > verdict.ready_at THEN coverage.rid END
FROM jsonb_to_recordset(cast(:verdicts AS jsonb)) AS verdict (
        appid text,
        publication_date date,
        ready_at timestamptz,
        is_final boolean
    )
WHERE
    coverage.dataset = :dataset
    AND coverage.appid = verdict.appid
    AND coverage.publication_date = verdict.publication_date
    AND (
        coverage.ready_at IS NULL
        OR coverage.ready_at < verdict.ready_at
        OR (verdict.is_final AND NOT coverage.is_final)
        OR (coverage.attempt_state != 'ok' AND coverage.attempted_at <= verdict.ready_at)
    )
