-- Return when the digest of a day was delivered: one row, or none.
SELECT digest.sent_at
FROM weixin.digest
WHERE digest.day = :day
