-- the columns count, not what the constraint is called
ALTER TABLE weixin.fact_article_total RENAME CONSTRAINT fact_article_total_pkey TO renamed;
