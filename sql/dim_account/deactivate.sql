-- Accounts that are no longer in the list of those to collect: one row each that leaves now. Those
-- of connections that can't be used stay.
UPDATE weixin.dim_account AS account
SET is_active = FALSE
WHERE
    account.is_active
    AND account.appid != all(:appids)
    AND account.conn_id != all(:conn_ids)
    AND regexp_replace(account.conn_id, '/wx[^/]*$', '') != all(:conn_ids)
RETURNING
    account.appid,
    account.name,
    account.conn_id
