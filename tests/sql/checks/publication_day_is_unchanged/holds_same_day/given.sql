INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.fact_article_total DEFAULT VALUES;
