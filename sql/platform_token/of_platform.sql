-- The accounts that have ever authorised a platform.
SELECT
    appid,
    coalesce(name, '') AS name,
    authorized_at,
    withdrawn_at,
    is_official_account
FROM weixin.platform_token
WHERE component_appid = :component_appid AND appid != component_appid
ORDER BY appid
