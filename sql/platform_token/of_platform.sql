-- What accounts of a platform are, and what they are called, where WeChat has said so: one row
-- each.
SELECT
    appid,
    name,
    is_official_account
FROM weixin.platform_token
WHERE component_appid = :component_appid AND is_official_account IS NOT NULL
