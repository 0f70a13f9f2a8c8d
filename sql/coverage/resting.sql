-- Pairs of some accounts whose refusal says that they must not be asked again yet: one row each.
SELECT
    appid,
    publication_date,
    error_code,
    next_attempt_at
FROM weixin.coverage
WHERE dataset = :dataset AND appid = any(:appids) AND next_attempt_at > :now
