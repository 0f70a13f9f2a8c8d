INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.article_sighting (dataset, raw_response_id) VALUES
    ('article_total', 23),
    ('article_total_detail', 25);
