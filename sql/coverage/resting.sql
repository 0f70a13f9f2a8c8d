-- Why an account must not be asked again yet, if so: at most one row.
SELECT error_code
FROM weixin.coverage
WHERE dataset = :dataset AND appid = :appid AND next_attempt_at > :now
ORDER BY next_attempt_at DESC
LIMIT 1
