-- Open rejected parts of some pairs: one row per account, with how many, of which days, and the
-- first reason.
SELECT
    rejected.appid,
    count(*) AS part_count,
    array_agg(DISTINCT rejected.day ORDER BY rejected.day) AS days,
    min(rejected.reason) AS reason
FROM unnest(
        cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
    ) AS pair (dataset, appid, day)
INNER JOIN weixin.rejected_row AS rejected
    ON
        pair.dataset = rejected.dataset
        AND pair.appid = rejected.appid
        AND pair.day = rejected.day
        AND rejected.resolved_at IS NULL
GROUP BY rejected.appid
ORDER BY rejected.appid
