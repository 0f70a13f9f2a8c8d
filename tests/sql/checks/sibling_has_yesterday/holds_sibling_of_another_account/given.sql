INSERT INTO weixin.run_report (appid) VALUES ('wx1'), ('wx2');
INSERT INTO weixin.coverage (appid) VALUES ('wx1'), ('wx2');
INSERT INTO weixin.dim_article (appid) VALUES ('wx1'), ('wx2');
INSERT INTO weixin.article_sighting (appid) VALUES ('wx1'), ('wx2');
INSERT INTO weixin.fact_article_total (appid, stat_date) VALUES
    ('wx1', '2026-11-22'),
    ('wx2', '2026-11-23');
