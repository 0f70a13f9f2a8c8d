-- WeChat answered with figures: the account's endpoint is not offline after all.
DELETE FROM weixin.retired
WHERE appid = :appid AND dataset = :dataset
