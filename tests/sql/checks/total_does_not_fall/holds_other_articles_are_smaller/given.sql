INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.fact_article_total (msgid, stat_date, share_count) VALUES
    ('1_1', '2026-11-20', 50),
    ('1_2', '2026-11-21', 4);
