INSERT INTO weixin.run_report (state) VALUES ('empty');
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.article_sighting (last_seen_at) VALUES ('2026-11-23 08:30+08');
