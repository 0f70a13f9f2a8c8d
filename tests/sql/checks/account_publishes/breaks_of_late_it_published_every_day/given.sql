INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article (msgid, publication_date)
SELECT
    day || '_1',
    date '2026-11-01' + day
FROM unnest(ARRAY[-90, -60, -30, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) AS day;
INSERT INTO weixin.article_sighting (msgid) SELECT msgid FROM weixin.dim_article;
INSERT INTO weixin.coverage (publication_date, data_state)
SELECT date '2026-11-01' + day, 'empty' FROM generate_series(10, 17) AS day;
