-- the key forbids such rows, so it has to go first
ALTER TABLE weixin.fact_article_total DROP CONSTRAINT fact_article_total_pkey;
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.fact_article_total (share_count) VALUES (1), (2);
