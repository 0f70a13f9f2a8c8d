-- migrate:up

-- Each morning's load writes last_seen_at of every article of the window anew. With room left in
-- its page the new version stays there (HOT) and needs no entry in any index.
ALTER TABLE weixin.dim_article SET (fillfactor = 50);
ALTER TABLE weixin.article_sighting SET (fillfactor = 50);

-- migrate:down

ALTER TABLE weixin.dim_article RESET (fillfactor);
ALTER TABLE weixin.article_sighting RESET (fillfactor);
