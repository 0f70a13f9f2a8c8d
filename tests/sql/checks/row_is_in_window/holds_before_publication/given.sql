-- of an article whose publication day has moved
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.fact_article_total (stat_date) VALUES ('2026-11-19'), ('2026-11-20');
