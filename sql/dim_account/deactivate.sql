-- Mark accounts as inactive that are no longer in the list of accounts to collect: one row per
-- account that changes. Accounts of unusable connections stay active.
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
