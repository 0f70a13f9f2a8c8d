SELECT * -- noqa: AM04
FROM {{ source("weixin", "account_day_30d") }}
