-- msgids repeat between accounts
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article (appid, publication_date) VALUES
    ('wx1', '2026-11-20'),
    ('wx2', '2026-11-19');
INSERT INTO weixin.fact_article_total DEFAULT VALUES;
