-- Accounts that no installation lists any more; and, one row each, all that have left since a time:
-- whether they leave now, and whether that was for a platform whose authorisation they withdrew.
WITH gone AS (
    UPDATE weixin.dim_account AS account
    SET is_active = FALSE, left_at = :left_at
    WHERE
        account.is_active
        AND NOT EXISTS (
            SELECT
            FROM weixin.account_list AS listed
            WHERE listed.appid = account.appid
        )
    RETURNING account.appid, account.name, account.conn_id
),

away AS (
    SELECT
        appid,
        name,
        conn_id,
        TRUE AS is_news
    FROM gone
    UNION ALL
    SELECT
        appid,
        name,
        conn_id,
        FALSE
    FROM weixin.dim_account
    WHERE NOT is_active AND left_at >= :left_since
)

SELECT
    away.appid,
    away.name,
    away.conn_id,
    away.is_news,
    exists(
        SELECT
        FROM weixin.platform_token
        WHERE
            platform_token.appid = away.appid
            AND platform_token.withdrawn_at IS NOT NULL
            AND away.conn_id ~ '/wx[^/]*$'
    ) AS is_withdrawn
FROM away
ORDER BY away.name, away.appid
