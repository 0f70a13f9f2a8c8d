INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.article_sighting (msgid, dataset) VALUES
    ('1_1', 'article_total'),
    ('1_2', 'article_total_detail');
INSERT INTO weixin.fact_article_total (msgid, stat_date) VALUES ('1_1', '2026-11-23');
