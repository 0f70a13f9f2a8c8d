INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.fact_article_total (stat_date, share_count) VALUES
    ('2026-11-20', 4),
    ('2026-11-21', NULL),
    ('2026-11-22', 5);
