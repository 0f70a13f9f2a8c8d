-- What accounts are called.
UPDATE weixin.platform_token AS known
SET name = said.name
FROM jsonb_to_recordset(cast(:names AS jsonb)) AS said (appid text, name text)
WHERE known.component_appid = :component_appid AND known.appid = said.appid
