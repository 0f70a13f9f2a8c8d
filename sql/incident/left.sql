-- Return the recent incidents about accounts that are no longer collected: one row per incident
-- whose account is still inactive.
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
