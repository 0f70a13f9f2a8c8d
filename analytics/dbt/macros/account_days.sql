{#
The rows of a view of account days that a table of them lacks or has otherwise.

Any day may change, however old: an answer or a replay corrects or completes it, an article moves to
another publication day. A day has no sign of that, and there are few: all are compared.
#}
{% macro account_days(view) %}
SELECT * FROM {{ source("weixin", view) }}
{% if is_incremental() %}
{{ fail_on_other_columns(source("weixin", view)) }}
EXCEPT
SELECT * FROM {{ this }}
{% endif %}
{% endmacro %}

{# The days after the last one that the view has of an account which is no longer collected. #}
{% macro delete_days_that_are_gone(view) %}
{% if is_incremental() %}
DELETE FROM {{ this }} AS known
USING (
    SELECT
        day.appid,
        max(day.calendar_date) AS last_date
    FROM {{ source("weixin", view) }} AS day
    INNER JOIN {{ source("weixin", "account") }} AS account ON day.appid = account.appid
    WHERE NOT account.is_active
    GROUP BY day.appid
) AS gone
WHERE known.appid = gone.appid AND known.calendar_date > gone.last_date
{% endif %}
{% endmacro %}
