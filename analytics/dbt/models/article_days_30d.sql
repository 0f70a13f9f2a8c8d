{{
    config(
        materialized="incremental",
        incremental_strategy="merge",
        unique_key=["appid", "msgid", "stat_date"],
        indexes=[{"columns": ["publication_date"]}],
    )
}}
{{ article_days("article_day_30d") }}
