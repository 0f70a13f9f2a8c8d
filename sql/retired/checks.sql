-- warn: endpoint_is_in_service: no account in use is skipped as its endpoint is offline
SELECT
    retired.appid,
    NULL AS publication_date,
    NULL AS msgid,
    format('%s was skipped since %s', account.name, retired.retired_at) AS detail
FROM weixin.retired
INNER JOIN weixin.dim_account AS account
    ON retired.appid = account.appid
WHERE retired.dataset = :dataset AND account.is_active AND :run_id != ''
