SELECT calendar_date FROM {{ source("weixin", "calendar") }}
