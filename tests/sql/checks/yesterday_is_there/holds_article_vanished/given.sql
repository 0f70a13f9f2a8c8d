-- the newest answer does not hold it: article_is_still_there tells
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.article_sighting (msgid, raw_response_id) VALUES
    ('1_1', 23),
    ('1_2', 24);
INSERT INTO weixin.fact_article_total (msgid, stat_date) VALUES ('1_2', '2026-11-23');
