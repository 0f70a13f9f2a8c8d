-- What the calendar's states are judged by: one row per account and day ever asked for.
{% from "status/macros.jinja" import judged %}
SELECT
    appid,
    day,
    {{ judged("coverage") | indent(4) }}
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = any(:appids)
    AND day BETWEEN :first_date AND :last_date
