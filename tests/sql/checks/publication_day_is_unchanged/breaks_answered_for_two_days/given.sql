-- known from the 19th, and the answer for the 20th holds it, too
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article (publication_date) VALUES ('2026-11-19');
INSERT INTO weixin.fact_article_total (stat_date) VALUES ('2026-11-20'), ('2026-11-21');
