-- Where an article's readers came from by the end of its latest day: one row per scene, most first.
SELECT
    scene_name,
    scene_chinese_name,
    stat_date,
    read_user,
    read_count,
    read_user_share
FROM (
    SELECT
        *,
        max(stat_date) OVER () AS latest_date
    FROM analytics.article_source
    WHERE dataset = :dataset AND appid = :appid AND msgid = :msgid
) AS source
WHERE stat_date = latest_date
ORDER BY read_user DESC NULLS LAST, scene ASC
