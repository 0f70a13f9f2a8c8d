-- Accounts that no installation lists any more: one row each.
UPDATE weixin.dim_account AS account
SET is_active = FALSE
WHERE
    account.is_active
    AND NOT EXISTS (
        SELECT
        FROM weixin.account_list AS listed
        WHERE listed.appid = account.appid
    )
RETURNING account.name
