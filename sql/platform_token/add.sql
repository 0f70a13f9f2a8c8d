-- Add the row of an account, or of the platform itself, without a token.
INSERT INTO weixin.platform_token (component_appid, appid)
VALUES (:component_appid, :appid)
ON CONFLICT (component_appid, appid) DO NOTHING
