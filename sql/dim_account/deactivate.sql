-- Accounts that are no longer in the list of configured accounts.
-- appids: those of the run; conn_ids: configured connections whose account the run does not know,
-- as it is limited to others, or the connection can't be used.
UPDATE weixin.dim_account
SET is_active = FALSE
WHERE is_active AND appid != all(:appids) AND conn_id != all(:conn_ids)
