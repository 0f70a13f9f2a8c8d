-- Return the followers won and lost on a day, as analytics.follower_total has them: one row per
-- account that is collected and of which WeChat has told followers within the last week.
SELECT
    account.appid,
    account.unique_name AS account_name,
    day.won,
    day.lost
FROM weixin.dim_account AS account
LEFT JOIN analytics.follower_total AS day
    ON account.appid = day.appid AND day.stat_date = :day
WHERE
    account.is_active
    AND EXISTS (
        SELECT FROM weixin.coverage AS told
        WHERE
            told.dataset = 'follower_change'
            AND told.appid = account.appid
            AND told.day BETWEEN :day - 6 AND :day
            AND told.ready_at IS NOT NULL
    )
ORDER BY account.appid
