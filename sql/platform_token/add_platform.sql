-- The platform's own row, without a token yet.
INSERT INTO weixin.platform_token (component_appid, appid, first_seen_at)
VALUES (:component_appid, :component_appid, :seen_at)
ON CONFLICT (component_appid, appid) DO NOTHING
