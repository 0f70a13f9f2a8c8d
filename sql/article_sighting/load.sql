-- When the dataset's answers last held each staged article: one row per (dataset, appid, msgid).
INSERT INTO weixin.article_sighting AS sighting (dataset, appid, msgid, last_seen_at)
SELECT
    :dataset,
    :appid,
    msgid,
    last_seen_at
FROM staged_article
ON CONFLICT (dataset, appid, msgid) DO UPDATE SET
    last_seen_at = greatest(sighting.last_seen_at, excluded.last_seen_at)
