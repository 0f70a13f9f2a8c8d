-- target_user is the size of an audience, no running total
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.fact_article_total (stat_date, target_user) VALUES
    ('2026-11-20', 900),
    ('2026-11-21', 899);
