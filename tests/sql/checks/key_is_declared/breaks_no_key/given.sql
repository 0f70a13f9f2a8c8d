-- the fact lost its key
ALTER TABLE weixin.fact_article_total DROP CONSTRAINT fact_article_total_pkey;
