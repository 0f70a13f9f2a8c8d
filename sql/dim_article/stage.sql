-- One row per article of the answers being loaded: where COPY puts them. Made once a session.
CREATE TEMPORARY TABLE IF NOT EXISTS staged_article (
    LIKE weixin.dim_article,
    dataset text NOT NULL,
    raw_response_id bigint NOT NULL
) ON COMMIT DELETE ROWS
