-- Delete the days of locked stale accounts that refresh.sql computes again.
DELETE FROM weixin.account_day AS stored
USING weixin.account_day_state AS state
WHERE
    state.dataset = :dataset
    AND state.appid = any(:appids)
    AND stored.dataset = :dataset
    AND stored.appid = any(:appids)
    AND stored.appid = state.appid
    AND stored.calendar_date >= state.stale_from
