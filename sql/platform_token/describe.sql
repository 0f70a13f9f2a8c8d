-- What accounts are, and what they are called.
UPDATE weixin.platform_token AS known
SET name = said.name, is_official_account = said.is_official_account
FROM
    jsonb_to_recordset(cast(:accounts AS jsonb)) AS said (
        appid text, name text, is_official_account boolean
    )
WHERE known.component_appid = :component_appid AND known.appid = said.appid
