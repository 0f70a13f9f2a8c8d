-- Accounts that are no longer in the list of configured accounts; and, one row each, all that have
-- left it since a time: whether they leave now, and whether that was for a platform whose
-- authorisation they withdrew.
-- appids: those that are; conn_ids: connections of the list that can't be used, whose account is
-- only known from before; of a platform, all that go by it.
WITH gone AS (
    UPDATE weixin.dim_account
    SET is_active = FALSE, left_at = :now
    WHERE
        is_active
        AND appid != all(:appids)
        AND conn_id != all(:conn_ids)
        AND regexp_replace(conn_id, '/wx[^/]*$', '') != all(:conn_ids)
    RETURNING appid, name, conn_id
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
