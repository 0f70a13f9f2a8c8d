-- Which pairs (account, publication day) have a rejected part that is not resolved and that some
-- answers may give: one row each. Of the days that were answered, and of other days the articles
-- that are listed there now.
SELECT DISTINCT
    rejected.appid,
    rejected.publication_date
FROM jsonb_to_recordset(cast(:listings AS jsonb)) AS listed (
        appid text, publication_date date, msgids text[]
    )
INNER JOIN weixin.rejected_row AS rejected
    ON
        rejected.resolved_at IS NULL
        AND listed.appid = rejected.appid
        AND (
            listed.publication_date = rejected.publication_date
            OR rejected.msgid = any(listed.msgids)
        )
WHERE rejected.dataset = :dataset
