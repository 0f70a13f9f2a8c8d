-- Where COPY puts what answers hold, each made once a session: a row per key of the fact and, where
-- the dataset describes articles, a row per article. Never analysed: the load's plan must not
-- depend on it.
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{{ fact }} ON COMMIT DELETE ROWS AS
SELECT
    {{ columns | join(",\n    ") }}
FROM weixin.{{ fact }}
WITH NO DATA;
{% if dataset.describes_articles %}
CREATE TEMPORARY TABLE IF NOT EXISTS staged_article ON COMMIT DELETE ROWS AS
SELECT
    appid,
    msgid,
    message_id,
    position,
    publication_date,
    title,
    url,
    content_url,
    publish_type,
    extra,
    first_seen_at
FROM weixin.dim_article
WITH NO DATA;
{% endif %}
