-- The accounts that have ever authorised a platform.
SELECT
    appid,
    name,
    refresh_token,
    authorized_at,
    withdrawn_at,
    is_official_account
FROM weixin.platform_token
WHERE component_appid = :component_appid AND appid != component_appid
ORDER BY appid
