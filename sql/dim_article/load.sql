-- Staged articles into the dimension: one row per (appid, msgid).
-- An attribute the answer does not hold keeps its value; the publication day never changes.
INSERT INTO weixin.dim_article AS article (
    appid,
    msgid,
    message_id,
    position,
    publication_date,
    title,
    url,
    content_url,
    publish_type,
    user_source,
    extra,
    first_seen_at,
    last_seen_at
)
SELECT
    :appid,
    msgid,
    message_id,
    position,
    publication_date,
    title,
    url,
    content_url,
    publish_type,
    user_source,
    extra,
    first_seen_at,
    last_seen_at
FROM staged_article
ON CONFLICT (appid, msgid) DO UPDATE SET
    title = coalesce(excluded.title, article.title),
    url = coalesce(excluded.url, article.url),
    content_url = coalesce(excluded.content_url, article.content_url),
    publish_type = coalesce(excluded.publish_type, article.publish_type),
    user_source = coalesce(excluded.user_source, article.user_source),
    extra = coalesce(article.extra || excluded.extra, excluded.extra, article.extra),
    first_seen_at = least(article.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(article.last_seen_at, excluded.last_seen_at)
