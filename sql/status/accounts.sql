-- The accounts that daily runs collect: one row per dataset and account in the list of accounts,
-- with the newest publication day that is in, and what today's calls have used of the quota.
SELECT
    daily.dataset,
    daily.appid,
    account.name,
    account.conn_id,
    daily.first_daily_date,
    newest.publication_date AS last_day_in,
    newest.ready_at,
    coalesce(api_call.calls, 0) AS calls_today,
    api_call.quota_limit,
    api_call.quota_left,
    api_call.quota_asked_at
FROM weixin.first_daily_run AS daily
INNER JOIN weixin.dim_account AS account
    ON daily.appid = account.appid AND account.is_active
INNER JOIN
    unnest(
        cast(:datasets AS text[]),
        cast(:endpoints AS text[])
    ) AS wanted (dataset, endpoint)
    ON daily.dataset = wanted.dataset
LEFT JOIN weixin.api_call
    ON
        daily.appid = api_call.appid
        AND wanted.endpoint = api_call.endpoint
        AND api_call.beijing_date = cast(:today AS date)
LEFT JOIN LATERAL (
    SELECT
        coverage.publication_date,
        coverage.ready_at
    FROM weixin.coverage
    WHERE
        coverage.appid = daily.appid
        AND coverage.dataset = daily.dataset
        AND coverage.ready_at IS NOT NULL
    ORDER BY coverage.publication_date DESC
    LIMIT 1
) AS newest ON TRUE
ORDER BY account.name, daily.appid, daily.dataset
