-- Accounts that are no longer in the list of configured accounts.
-- appids: those that are; conn_ids: connections of the list that can't be used, whose account is
-- only known from before; of a platform, all that go by it.
UPDATE weixin.dim_account
SET is_active = FALSE
WHERE
    is_active
    AND appid != all(:appids)
    AND conn_id != all(:conn_ids)
    AND regexp_replace(conn_id, '/wx[^/]*$', '') != all(:conn_ids)
RETURNING name
