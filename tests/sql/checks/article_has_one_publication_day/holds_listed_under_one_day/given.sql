INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.article_sighting DEFAULT VALUES;
