-- Lock stale accounts of a dataset. Return their AppIDs and the first day to compute. Those with
-- few days to compute come first, and share a batch. Accounts that another transaction marks or
-- computes are left out: that transaction or the one after it computes them.
SELECT
    appid,
    stale_from
FROM weixin.account_day_state
WHERE
    dataset = :dataset
    AND stale_from IS NOT NULL
    AND (cast(:appids AS text[]) IS NULL OR appid = any(cast(:appids AS text[])))
ORDER BY stale_from DESC, appid ASC
LIMIT :limit
FOR UPDATE SKIP LOCKED
