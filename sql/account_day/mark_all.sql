-- Mark all days of every account as stale: their definition has changed.
INSERT INTO weixin.account_day_state AS state (dataset, appid, stale_from)
SELECT
    dataset,
    appid,
    min(day)
FROM weixin.coverage
WHERE
    dataset IN (
        {% for dataset in datasets %}
        '{{ dataset.name }}'{{ "," if not loop.last }}
        {% endfor %}
    )
GROUP BY dataset, appid
ON CONFLICT (dataset, appid) DO UPDATE
    SET stale_from = excluded.stale_from
