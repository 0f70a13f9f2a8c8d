-- Accounts that are no longer in the list of configured accounts.
UPDATE weixin.dim_account
SET is_active = FALSE
WHERE is_active AND appid != all(:appids)
