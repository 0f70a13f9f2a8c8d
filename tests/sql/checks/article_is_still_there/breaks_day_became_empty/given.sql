INSERT INTO weixin.run_report (state) VALUES ('empty');
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.article_sighting (raw_response_id) VALUES (23);
