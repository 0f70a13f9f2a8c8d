-- Which pairs (account, publication day) of some have a rejected part that is not resolved: one row
-- each.
SELECT
    pair.appid,
    pair.publication_date
FROM unnest(
        cast(:datasets AS text[]),
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS pair (dataset, appid, publication_date)
WHERE
    EXISTS (
        SELECT FROM weixin.rejected_row AS rejected
        WHERE
            rejected.dataset = pair.dataset
            AND rejected.appid = pair.appid
            AND rejected.publication_date = pair.publication_date
            AND rejected.resolved_at IS NULL
    )
