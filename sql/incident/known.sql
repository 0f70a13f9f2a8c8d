-- What is wrong with a dataset as far as is known: one row per open incident; and one per metric of
-- some that was ever told to be unknown.
SELECT
    incident.incident_id,
    incident.dataset,
    incident.kind,
    incident.appid,
    incident.subject,
    incident.account,
    incident.conn_id,
    incident.cause,
    incident.cure,
    incident.publication_dates,
    incident.error_code,
    incident.run_id,
    incident.opened_at,
    incident.closed_at,
    incident.told_at,
    incident.closing_told_at,
    coalesce(account.is_active, TRUE) AS is_collected
FROM weixin.incident
LEFT JOIN weixin.dim_account AS account ON incident.appid = account.appid
WHERE
    incident.dataset = :dataset
    AND (
        incident.closed_at IS NULL
        OR (incident.kind = 'unknown_metric' AND incident.subject = any(:metrics))
    )
ORDER BY incident.incident_id
