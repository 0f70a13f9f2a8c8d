-- What an installation no longer lists, and what others listed that have not planned for long.
-- appids: those it lists; conn_ids: connections of its list that can't be used, whose account is
-- only known from before; of a platform, all that go by it.
DELETE FROM weixin.account_list
WHERE
    (
        installation = :installation
        AND appid != all(:appids)
        AND conn_id != all(:conn_ids)
        AND regexp_replace(conn_id, '/wx[^/]*$', '') != all(:conn_ids)
    )
    OR (installation != :installation AND listed_at < :stale_since)
