ALTER TABLE weixin.fact_article_total DROP CONSTRAINT fact_article_total_pkey;
INSERT INTO weixin.run_report (publication_date) VALUES ('2026-11-19'), ('2026-11-20');
INSERT INTO weixin.fact_article_total (publication_date) VALUES ('2026-11-19'), ('2026-11-20');
