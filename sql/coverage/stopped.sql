-- Accounts whose daily quota is used up, so that they must not be asked again yet: one row each.
SELECT DISTINCT
    appid,
    error_code
FROM weixin.coverage
WHERE dataset = :dataset AND appid = any(:appids) AND next_attempt_at > :now
