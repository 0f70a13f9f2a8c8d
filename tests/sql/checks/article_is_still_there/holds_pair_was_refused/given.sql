-- no answer today says nothing about its articles
INSERT INTO weixin.run_report (state) VALUES ('failed');
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.article_sighting (raw_response_id) VALUES (23);
