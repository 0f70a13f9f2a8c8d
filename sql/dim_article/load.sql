-- Staged articles into the dimension: one row per (appid, msgid).
-- An attribute the answer does not hold keeps its value; of the publication day see move.sql. What
-- is as it was is not written. A title that another replaces goes to the history. What adds
-- articles stands first, so that Postgres does it last: else it looks the others up among these.
{% set columns = [
    "appid",
    "msgid",
    "message_id",
    "position",
    "publication_date",
    "title",
    "url",
    "content_url",
    "publish_type",
    "user_source",
    "extra",
    "first_seen_at",
    "last_seen_at",
] %}
WITH new AS (
    INSERT INTO weixin.dim_article (
        {{ columns | join(",\n        ") }}
    )
    SELECT
        {{ columns | join(",\n        ") }}
    FROM staged_article
    ON CONFLICT (appid, msgid) DO NOTHING
),

replaced AS (
    INSERT INTO weixin.dim_article_title_history (appid, msgid, title, replaced_at)
    SELECT
        article.appid,
        article.msgid,
        article.title,
        greatest(
            :changed_at,
            (
                SELECT max(history.replaced_at)
                FROM weixin.dim_article_title_history AS history
                WHERE history.appid = article.appid AND history.msgid = article.msgid
            )
        )
    FROM staged_article AS staged
    INNER JOIN weixin.dim_article AS article
        ON staged.appid = article.appid AND staged.msgid = article.msgid
    WHERE staged.title != article.title
)

UPDATE weixin.dim_article AS article
SET
    title = coalesce(staged.title, article.title),
    url = coalesce(staged.url, article.url),
    content_url = coalesce(staged.content_url, article.content_url),
    publish_type = coalesce(staged.publish_type, article.publish_type),
    user_source = coalesce(staged.user_source, article.user_source),
    extra = coalesce(article.extra || staged.extra, staged.extra, article.extra),
    first_seen_at = least(article.first_seen_at, staged.first_seen_at),
    last_seen_at = greatest(article.last_seen_at, staged.last_seen_at)
FROM staged_article AS staged
WHERE
    article.appid = staged.appid
    AND article.msgid = staged.msgid
    AND (
        coalesce(staged.title, article.title) IS DISTINCT FROM article.title
        OR coalesce(staged.url, article.url) IS DISTINCT FROM article.url
        OR coalesce(staged.content_url, article.content_url)
        IS DISTINCT FROM article.content_url
        OR coalesce(staged.publish_type, article.publish_type)
        IS DISTINCT FROM article.publish_type
        OR coalesce(staged.user_source, article.user_source)
        IS DISTINCT FROM article.user_source
        OR coalesce(article.extra || staged.extra, staged.extra, article.extra)
        IS DISTINCT FROM article.extra
        OR staged.first_seen_at < article.first_seen_at
        OR staged.last_seen_at > article.last_seen_at
    )
