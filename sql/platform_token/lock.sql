-- Lock a token's row until the end of the transaction. A second worker that renews the token waits.
SELECT
FROM weixin.platform_token
WHERE component_appid = :component_appid AND appid = :appid
FOR UPDATE
