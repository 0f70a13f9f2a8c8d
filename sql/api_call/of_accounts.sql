-- What is known of some accounts' calls of an endpoint on a day in Beijing: one row per account.
-- quota_limit is what WeChat said last, on that day or in the month before it. Of an account that a
-- 45009 stopped until the next midnight nothing is left, whatever WeChat says of its quota.
WITH lately AS (
    SELECT *
    FROM weixin.api_call
    WHERE
        appid = any(:appids)
        AND endpoint = :endpoint
        AND beijing_date BETWEEN cast(:today AS date) - 31 AND :today
),

said AS (
    SELECT DISTINCT ON (appid)
        appid,
        quota_limit
    FROM lately
    WHERE quota_limit IS NOT NULL
    ORDER BY appid ASC, beijing_date DESC
),

stopped AS (
    SELECT DISTINCT appid
    FROM weixin.coverage
    WHERE
        dataset = :dataset
        AND appid = any(:appids)
        AND NOT is_final
        AND next_attempt_at > cast(:today AS timestamp) AT TIME ZONE 'Asia/Shanghai'
)

SELECT
    account.appid,
    coalesce(today.calls, 0) AS calls,
    said.quota_limit,
    CASE WHEN stopped.appid IS NULL THEN today.quota_left ELSE 0 END AS quota_left
FROM unnest(cast(:appids AS text[])) AS account (appid)
LEFT JOIN lately AS today ON account.appid = today.appid AND today.beijing_date = :today
LEFT JOIN said ON account.appid = said.appid
LEFT JOIN stopped ON account.appid = stopped.appid
