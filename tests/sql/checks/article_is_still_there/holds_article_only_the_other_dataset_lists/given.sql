INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article (last_seen_at) VALUES ('2026-11-23 08:30+08');
INSERT INTO weixin.article_sighting (dataset, raw_response_id) VALUES
    ('article_total_detail', 23);
