-- Note that the days of locked stale accounts agree with the facts.
UPDATE weixin.account_day_state AS state
SET
    stale_from = NULL,
    first_date = requested.first_date,
    last_date = requested.last_date,
    refreshed_at = :now
FROM (
    SELECT
        appid,
        min(day) AS first_date,
        greatest(max(day), max(through_date)) AS last_date
    FROM weixin.coverage
    WHERE dataset = :dataset AND appid = any(:appids)
    GROUP BY appid
) AS requested
WHERE state.dataset = :dataset AND state.appid = requested.appid
