-- Staged articles of which the dimension holds a newer answer, of another dataset: one row each.
-- What that answer says stands; theirs only fill what it lacks.
UPDATE staged_article AS staged
SET
    title = coalesce(article.title, staged.title),
    url = coalesce(article.url, staged.url),
    content_url = coalesce(article.content_url, staged.content_url),
    publish_type = coalesce(article.publish_type, staged.publish_type),
    user_source = coalesce(article.user_source, staged.user_source),
    extra = coalesce(staged.extra || article.extra, article.extra, staged.extra)
FROM weixin.dim_article AS article
WHERE
    staged.appid = article.appid
    AND staged.msgid = article.msgid
    AND staged.last_seen_at < article.last_seen_at
