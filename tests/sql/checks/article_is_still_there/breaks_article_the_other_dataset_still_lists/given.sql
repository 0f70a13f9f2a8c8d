INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.article_sighting (dataset, last_seen_at) VALUES
    ('article_total', '2026-11-23 08:30+08'),
    ('article_total_detail', '2026-11-24 09:00+08');
