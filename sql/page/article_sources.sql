-- Where an article's readers came from by the end of its latest day: one row per scene, most first.
SELECT
    scene_name,
    scene_chinese_name,
    stat_date,
    readers,
    reads,
    readers_share
FROM analytics.article_source{{ dataset.suffix }}
WHERE appid = :appid AND msgid = :msgid AND is_latest
ORDER BY readers DESC NULLS LAST, scene ASC
