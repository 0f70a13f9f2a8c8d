-- An installation has planned: what it lists, in this plan or not, is listed as of now.
UPDATE weixin.account_list
SET listed_at = :listed_at
WHERE installation = :installation AND listed_at != :listed_at
