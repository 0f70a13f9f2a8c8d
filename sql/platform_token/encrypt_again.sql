-- The same refresh tokens, encrypted with the newest key. One that was renewed meanwhile stays: it
-- is encrypted with that key already.
UPDATE weixin.platform_token AS known
SET refresh_token = again.encrypted
FROM
    jsonb_to_recordset(cast(:refresh_tokens AS jsonb)) AS again (
        appid text, encrypted_before text, encrypted text
    )
WHERE
    known.component_appid = :component_appid
    AND known.appid = again.appid
    AND known.refresh_token = again.encrypted_before
