INSERT INTO weixin.run_report (appid) VALUES ('wx1'), ('wx2');
INSERT INTO weixin.fact_article_total (appid, stat_date) VALUES
    ('wx1', '2026-11-20'),
    ('wx1', '2026-11-21'),
    ('wx2', '2026-11-20');
