-- Return the figures of a day and of the same weekday before, as analytics.account_day has them:
-- two rows for each account that is collected, by account and day. Only getarticletotal counts
-- reads. A day is stale until it is computed from what was loaded since.
SELECT
    account.appid,
    account.unique_name AS account_name,
    wanted.calendar_date,
    day.readers_increment AS readers,
    counted.reads_increment AS reads,
    day.sharers_increment AS sharers,
    day.readers_comparable,
    counted.reads_increment AS reads_comparable,
    day.sharers_comparable,
    day.counting = 'successor' AS is_by_successor,
    coalesce(day.is_complete, FALSE) AS is_complete,
    wanted.calendar_date >= (
        SELECT min(state.stale_from)
        FROM weixin.account_day_state AS state
        WHERE state.appid = account.appid
    ) IS TRUE AS is_stale
FROM weixin.dim_account AS account
CROSS JOIN unnest(ARRAY[:day, :day - 7]) AS wanted (calendar_date)
LEFT JOIN analytics.account_day AS day
    ON account.appid = day.appid AND wanted.calendar_date = day.calendar_date
LEFT JOIN analytics.account_day_7d AS counted
    ON day.endpoint = '7d'
        AND day.appid = counted.appid
        AND day.calendar_date = counted.calendar_date
WHERE account.is_active
ORDER BY account.appid, wanted.calendar_date
