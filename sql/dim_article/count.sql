-- How many staged articles the dimension, or the list of sightings, lacks or holds otherwise: what
-- load.sql of both and move.sql would write.
{% from "dim_article/macros.jinja" import days_of %}
SELECT count(*)
FROM staged_article AS staged
LEFT JOIN weixin.dim_article AS article
    ON staged.appid = article.appid AND staged.msgid = article.msgid
LEFT JOIN weixin.article_sighting AS sighting
    ON
        staged.dataset = sighting.dataset
        AND staged.appid = sighting.appid
        AND staged.msgid = sighting.msgid
CROSS JOIN LATERAL {{ days_of("staged", "article") }} AS days
WHERE
    article.msgid IS NULL
    OR article.publication_date != days.publication_date
    OR article.other_publication_dates IS DISTINCT FROM days.other_publication_dates
    OR sighting.raw_response_id IS DISTINCT FROM staged.raw_response_id
    OR staged.first_seen_at < article.first_seen_at
    OR staged.last_seen_at > article.last_seen_at
    OR coalesce(staged.title, article.title) IS DISTINCT FROM article.title
    OR coalesce(staged.url, article.url) IS DISTINCT FROM article.url
    OR coalesce(staged.content_url, article.content_url) IS DISTINCT FROM article.content_url
    OR coalesce(staged.publish_type, article.publish_type) IS DISTINCT FROM article.publish_type
    OR coalesce(staged.user_source, article.user_source) IS DISTINCT FROM article.user_source
    OR coalesce(article.extra || staged.extra, staged.extra, article.extra)
    IS DISTINCT FROM article.extra
