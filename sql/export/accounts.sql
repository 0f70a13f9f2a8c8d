-- Return the accounts to export, by AppID: one row each, and when WeChat was asked last.
SELECT
    account.appid,
    (SELECT max(coverage.attempted_at) FROM weixin.coverage) AS as_of
FROM weixin.dim_account AS account
ORDER BY account.appid
