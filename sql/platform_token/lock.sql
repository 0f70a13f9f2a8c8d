-- Waits until no other worker renews the token; until the end of the transaction none does.
SELECT
FROM weixin.platform_token
WHERE component_appid = :component_appid AND appid = :appid
FOR UPDATE
