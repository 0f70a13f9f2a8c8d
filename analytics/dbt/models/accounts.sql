SELECT
    appid,
    account_name,
    is_active
FROM {{ source("weixin", "account") }}
