{{
    config(
        materialized="incremental",
        incremental_strategy="merge",
        unique_key=["appid", "calendar_date"],
        post_hook="{{ delete_days_that_are_gone('account_day_30d') }}",
    )
}}
{{ account_days("account_day_30d") }}
