-- Return the name and type of a platform's accounts: one row per account that WeChat has described.
SELECT
    appid,
    name,
    is_official_account
FROM weixin.platform_token
WHERE component_appid = :component_appid AND is_official_account IS NOT NULL
