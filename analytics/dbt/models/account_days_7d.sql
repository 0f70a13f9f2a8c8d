SELECT * -- noqa: AM04
FROM {{ source("weixin", "account_day_7d") }}
