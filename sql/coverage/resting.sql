-- Pairs of an account whose refusal says that it must not be asked again yet: one row each.
SELECT
    publication_date,
    error_code,
    error,
    next_attempt_at
FROM weixin.coverage
WHERE dataset = :dataset AND appid = :appid AND next_attempt_at > :now
