INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.raw_response (raw_response_id) VALUES (1);
INSERT INTO weixin.fact_article_total DEFAULT VALUES;
