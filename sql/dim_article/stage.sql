-- One row per article of the answers being loaded: where COPY puts them.
CREATE TEMPORARY TABLE staged_article (
    msgid text NOT NULL,
    message_id text,
    title text,
    url text,
    content_url text,
    extra jsonb,
    position smallint,
    publication_date date NOT NULL,
    publish_type smallint,
    user_source bigint,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
) ON COMMIT DROP;
