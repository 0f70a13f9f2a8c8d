-- yesterday's answer held two articles, today's holds one
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.article_sighting (msgid, raw_response_id) VALUES
    ('1_1', 24),
    ('1_2', 23);
