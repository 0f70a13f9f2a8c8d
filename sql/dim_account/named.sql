-- The accounts that go by a name: their AppID, their connection's id, or what people call them.
SELECT appid
FROM weixin.dim_account
WHERE :name IN (appid, conn_id, name)
ORDER BY appid
