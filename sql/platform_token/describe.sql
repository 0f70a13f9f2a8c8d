-- Save the name and type of accounts, as WeChat describes them.
UPDATE weixin.platform_token AS token
SET name = described.name, is_official_account = described.is_official_account
FROM
    jsonb_to_recordset(cast(:accounts AS jsonb)) AS described (
        appid text, name text, is_official_account boolean
    )
WHERE token.component_appid = :component_appid AND token.appid = described.appid
