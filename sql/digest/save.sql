-- Save that the digest of a day was delivered: one row.
INSERT INTO weixin.digest (day, sent_at) VALUES (:day, :sent_at)
