INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article (msgid, publication_date) VALUES
    ('1_1', '2026-11-01'), ('2_1', '2026-11-03'), ('2_2', '2026-11-03'), ('3_1', '2026-11-05');
INSERT INTO weixin.article_sighting (msgid) SELECT msgid FROM weixin.dim_article;
INSERT INTO weixin.coverage (publication_date, data_state)
SELECT date '2026-11-01' + day, 'empty' FROM generate_series(5, 12) AS day;
