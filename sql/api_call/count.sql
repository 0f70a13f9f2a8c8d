-- Calls that were made: one row per account and day in Beijing, added to those counted before.
INSERT INTO weixin.api_call AS known (appid, endpoint, beijing_date, calls)
SELECT
    appid,
    :endpoint,
    beijing_date,
    sum(calls)
FROM unnest(
        cast(:appids AS text[]), cast(:beijing_dates AS date[]), cast(:calls AS integer[])
    ) AS made (appid, beijing_date, calls)
GROUP BY appid, beijing_date
ORDER BY appid, beijing_date
ON CONFLICT (appid, endpoint, beijing_date) DO UPDATE SET calls = known.calls + excluded.calls
