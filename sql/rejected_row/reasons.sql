-- Rejected parts of answers that are not resolved, for people: one row per dataset and reason,
-- which names the metric, with how many parts, accounts and days it concerns, and the
-- newest of them.
SELECT
    rejected.dataset,
    rejected.reason,
    count(*) AS row_count,
    count(DISTINCT format('%s %s', rejected.appid, rejected.day)) AS pair_count,
    array_agg(
        DISTINCT coalesce(account.name, rejected.appid)
        ORDER BY coalesce(account.name, rejected.appid)
    ) AS accounts,
    min(rejected.day) AS first_date,
    max(rejected.day) AS last_date,
    (
        array_agg(
            jsonb_build_array(
                coalesce(account.name, rejected.appid),
                rejected.day,
                rejected.msgid,
                rejected.stat_date,
                left(rejected.payload, 500)
            )
            ORDER BY rejected.rejected_row_id DESC
        )
    )[1] AS example
FROM weixin.rejected_row AS rejected
LEFT JOIN weixin.dim_account AS account
    ON rejected.appid = account.appid
WHERE
    rejected.resolved_at IS NULL
    AND (cast(:dataset AS text) IS NULL OR rejected.dataset = :dataset)
    AND (cast(:reason AS text) IS NULL OR strpos(lower(rejected.reason), lower(:reason)) > 0)
GROUP BY rejected.dataset, rejected.reason
ORDER BY row_count DESC, rejected.dataset ASC, rejected.reason ASC
