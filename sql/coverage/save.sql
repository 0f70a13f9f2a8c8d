-- How an attempt for each of some pairs of an account ended: one row per publication day.
-- A refused attempt changes the attempt half only. Of the data half, the newest answer's values
-- stand: fetched last, not arrived last. Once articles are loaded the pair stays loaded.
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
    data_state = CASE
        WHEN coverage.data_state = 'loaded' THEN 'loaded'
        ELSE coalesce(excluded.data_state, coverage.data_state)
    END,
    (through_date, article_count, row_count) = (
        SELECT
            newest.through_date,
            newest.article_count,
            newest.row_count
        FROM (
            VALUES
            (
                coverage.fetched_at,
                1,
                coverage.through_date,
                coverage.article_count,
                coverage.row_count
            ),
            (
                excluded.fetched_at,
                2,
                excluded.through_date,
                excluded.article_count,
                excluded.row_count
            )
        ) AS newest (fetched_at, arrival, through_date, article_count, row_count)
        ORDER BY newest.fetched_at DESC NULLS LAST, newest.arrival DESC
        LIMIT 1
    ),
    fetched_at = greatest(coverage.fetched_at, excluded.fetched_at),
    is_final = coverage.is_final OR excluded.is_final,
    attempt_state = excluded.attempt_state,
    attempted_at = excluded.attempted_at,
    attempts = CASE excluded.attempt_state WHEN 'ok' THEN 0 ELSE coverage.attempts + 1 END,
    next_attempt_at = excluded.next_attempt_at,
    error_code = excluded.error_code,
    error = excluded.error
