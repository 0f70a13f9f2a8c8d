-- What the warehouse has of some pairs after a merge: one row per pair.
-- The newest answer's values stand: fetched last, not arrived last. Once articles are loaded the
-- pair stays loaded. How the attempt ended is judged later, see verdict.sql.
INSERT INTO weixin.coverage AS coverage (
    dataset,
    appid,
    publication_date,
    data_state,
    through_date,
    fetched_at,
    article_count,
    row_count
)
SELECT
    :dataset,
    appid,
    publication_date,
    data_state,
    through_date,
    fetched_at,
    article_count,
    row_count
FROM jsonb_to_recordset(cast(:answers AS jsonb)) AS answer (
        appid text,
        publication_date date,
        data_state text,
        through_date date,
        fetched_at timestamptz,
        article_count integer,
        row_count integer
    )
ON CONFLICT (dataset, appid, publication_date) DO UPDATE SET
    data_state = CASE
        WHEN coverage.data_state = 'loaded' THEN 'loaded' ELSE excluded.data_state
    END,
    through_date = CASE
        WHEN coverage.fetched_at > excluded.fetched_at THEN coverage.through_date
        ELSE excluded.through_date
    END,
    article_count = CASE
        WHEN coverage.fetched_at > excluded.fetched_at THEN coverage.article_count
        ELSE excluded.article_count
    END,
    row_count = CASE
        WHEN coverage.fetched_at > excluded.fetched_at THEN coverage.row_count
        ELSE excluded.row_count
    END,
    fetched_at = greatest(coverage.fetched_at, excluded.fetched_at)
