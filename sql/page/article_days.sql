-- The readers of some articles by day: one row per article and day that has the figure.
SELECT
    msgid,
    stat_date - publication_date + 1 AS day_number,
    {{ dataset.readers }} AS readers
FROM weixin.{{ fact }}
WHERE appid = :appid AND msgid = any(:msgids) AND {{ dataset.readers }} IS NOT NULL
ORDER BY msgid, stat_date
