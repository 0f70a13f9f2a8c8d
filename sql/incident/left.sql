-- That accounts are no longer collected, as far as people were told lately and it is still so: one
-- row per incident.
{% from "incident/macros.jinja" import columns %}
SELECT
    {{ columns() }}
FROM weixin.incident
WHERE
    kind = 'not_collected'
    AND dataset = any(:datasets)
    AND opened_at >= :since
    AND EXISTS (
        SELECT FROM weixin.dim_account AS account
        WHERE account.appid = incident.appid AND NOT account.is_active
    )
