INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.fact_article_total (stat_date, share_count, share_user) VALUES
    ('2026-11-20', 5, 3),
    ('2026-11-21', 4, 3),
    ('2026-11-22', 9, 2);
