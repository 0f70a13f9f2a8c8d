-- Return the AppIDs of the accounts with a name: their AppID, connection id or display name.
SELECT appid
FROM weixin.dim_account
WHERE :name IN (appid, conn_id, name)
ORDER BY appid
