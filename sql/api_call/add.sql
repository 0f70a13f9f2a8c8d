-- Calls that accounts are about to make, counted before they are made; of those that were not made,
-- a negative number afterwards. One row per account, on the day in Beijing of the reservation.
INSERT INTO weixin.api_call AS known (appid, endpoint, beijing_date, calls)
SELECT
    appid,
    :endpoint,
    beijing_date,
    calls
FROM unnest(
        cast(:appids AS text[]), cast(:beijing_dates AS date[]), cast(:calls AS integer[])
    ) AS reserved (appid, beijing_date, calls)
ORDER BY appid
ON CONFLICT (appid, endpoint, beijing_date) DO UPDATE SET calls = known.calls + excluded.calls
