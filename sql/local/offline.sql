-- The accounts in use whose endpoint WeChat took offline: one row each.
SELECT account.name
FROM weixin.retired
INNER JOIN weixin.dim_account AS account
    ON retired.appid = account.appid
WHERE retired.dataset = :dataset AND account.is_active
ORDER BY account.name
