-- msgids repeat between accounts, so the key needs the account
ALTER TABLE weixin.fact_article_total
    DROP CONSTRAINT fact_article_total_pkey,
    ADD PRIMARY KEY (msgid, stat_date);
