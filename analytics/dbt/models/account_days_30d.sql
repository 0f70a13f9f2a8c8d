{{ config(materialized="view") }}
SELECT * FROM {{ source("weixin", "account_day_30d") }}
