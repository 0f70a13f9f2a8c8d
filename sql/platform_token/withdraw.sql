-- An account has withdrawn its authorisation: its tokens are worth nothing now.
UPDATE weixin.platform_token
SET withdrawn_at = :withdrawn_at, access_token = NULL, expires_at = NULL
WHERE component_appid = :component_appid AND appid = :appid AND withdrawn_at IS NULL
