-- Count the articles of an account that this transaction has written.
SELECT count(*)
FROM weixin.dim_article
WHERE appid = :appid AND xmin = pg_current_xact_id()::xid
