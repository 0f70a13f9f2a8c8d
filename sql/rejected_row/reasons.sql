-- Rejected parts of answers that no replay has resolved, for people: one row per dataset and
-- reason, whatever values it names, with how many parts, accounts and publication days it concerns,
-- and the newest of them.
SELECT
    dataset,
    reason,
    count(*) AS row_count,
    count(DISTINCT format('%s %s', appid, publication_date)) AS pair_count,
    array_agg(DISTINCT account ORDER BY account) AS accounts,
    min(publication_date) AS first_date,
    max(publication_date) AS last_date,
    (
        array_agg(
            jsonb_build_array(account, publication_date, msgid, full_reason, left(payload, 500))
            ORDER BY rejected_row_id DESC
        )
    )[1] AS example
FROM (
    SELECT
        rejected.rejected_row_id,
        rejected.dataset,
        rejected.appid,
        coalesce(account.name, rejected.appid) AS account,
        rejected.publication_date,
        rejected.msgid,
        rejected.payload,
        rejected.reason AS full_reason,
        -- "stat_date … is later than …, the day before the answer": without the answer's own values
        regexp_replace(
            regexp_replace(
                rejected.reason,
                '^(?!an? )(\S+) .* (is not|is before|is later than|is longer than) ',
                '\1 … \2 '
            ),
            '\d{4}-\d{2}-\d{2}',
            '…',
            'g'
        ) AS reason
    FROM weixin.rejected_row AS rejected
    LEFT JOIN weixin.dim_account AS account
        ON rejected.appid = account.appid
    WHERE
        rejected.resolved_at IS NULL
        AND (cast(:dataset AS text) IS NULL OR rejected.dataset = :dataset)
        AND (cast(:reason AS text) IS NULL OR strpos(lower(rejected.reason), lower(:reason)) > 0)
) AS open_row
GROUP BY dataset, reason
ORDER BY row_count DESC, dataset ASC, reason ASC
