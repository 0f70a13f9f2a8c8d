-- Accounts that have rows or answers, but no day in the rollup: one row per account.
SELECT account.appid
FROM weixin.dim_account AS account
WHERE
    (cast(:appids AS text[]) IS NULL OR account.appid = any(cast(:appids AS text[])))
    AND NOT EXISTS (
        SELECT FROM weixin.account_day_{{ dataset.name }} AS day
        WHERE day.appid = account.appid
    )
    AND (
        EXISTS (
            SELECT FROM weixin.coverage AS pair
            WHERE
                pair.dataset = :dataset
                AND pair.appid = account.appid
                AND pair.fetched_at IS NOT NULL
        )
        OR EXISTS (
            SELECT FROM weixin.{{ fact }} AS fact
            WHERE fact.appid = account.appid
        )
    )
ORDER BY account.appid
