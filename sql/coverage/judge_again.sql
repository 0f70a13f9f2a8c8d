-- Pairs whose newest answer came by no attempt of a run, but by a replay or an import: one row
-- each, with what it is worth. What they had stays at least. An attempt that ended before this
-- answer came, or whose answer it was, is made good by it.
UPDATE weixin.coverage
SET
    ready_at = greatest(coverage.ready_at, verdict.answered_at),
    is_final = coverage.is_final OR verdict.is_final,
    list_sha256 = coalesce(decode(verdict.list_sha256, 'hex'), coverage.list_sha256),
    list_since_date = coalesce(verdict.list_since_date, coverage.list_since_date),
    list_changes = greatest(coverage.list_changes, verdict.list_changes),
    is_resting = NOT coverage.is_final AND verdict.is_resting,
    is_provisional = NOT coverage.is_final AND verdict.is_provisional,
    attempt_state = CASE
        WHEN coverage.attempted_at <= verdict.answered_at THEN 'ok' ELSE coverage.attempt_state
    END,
    attempts = CASE
        WHEN coverage.attempted_at <= verdict.answered_at THEN 0 ELSE coverage.attempts
    END,
    next_attempt_at = CASE
        WHEN coverage.attempted_at > verdict.answered_at THEN coverage.next_attempt_at
    END,
    error_kind = CASE
        WHEN coverage.attempted_at > verdict.answered_at THEN coverage.error_kind
    END,
    error_code = CASE
        WHEN coverage.attempted_at > verdict.answered_at THEN coverage.error_code
    END,
    error = CASE WHEN coverage.attempted_at > verdict.answered_at THEN coverage.error END,
    cure = CASE WHEN coverage.attempted_at > verdict.answered_at THEN coverage.cure END,
    rid = CASE WHEN coverage.attempted_at > verdict.answered_at THEN coverage.rid END
FROM jsonb_to_recordset(cast(:verdicts AS jsonb)) AS verdict (
        appid text,
        publication_date date,
        answered_at timestamptz,
        is_final boolean,
        list_sha256 text,
        list_since_date date,
        list_changes integer,
        is_resting boolean,
        is_provisional boolean
    )
WHERE
    coverage.dataset = :dataset
    AND coverage.appid = verdict.appid
    AND coverage.publication_date = verdict.publication_date
    AND (
        coverage.ready_at IS NULL
        OR coverage.ready_at < verdict.answered_at
        OR (verdict.is_final AND NOT coverage.is_final)
        OR (
            NOT coverage.is_final
            AND (
                coverage.list_sha256,
                coverage.list_since_date,
                coverage.list_changes,
                coverage.is_resting,
                coverage.is_provisional
            ) IS DISTINCT FROM (
                coalesce(decode(verdict.list_sha256, 'hex'), coverage.list_sha256),
                coalesce(verdict.list_since_date, coverage.list_since_date),
                greatest(coverage.list_changes, verdict.list_changes),
                verdict.is_resting,
                verdict.is_provisional
            )
        )
        OR (coverage.attempt_state != 'ok' AND coverage.attempted_at <= verdict.answered_at)
    )
