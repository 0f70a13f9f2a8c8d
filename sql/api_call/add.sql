-- Reserve calls for accounts before the calls are made: one row per account, on the Beijing day of
-- the reservation. A negative number gives unused calls back.
INSERT INTO weixin.api_call AS stored (appid, endpoint, beijing_date, calls)
SELECT
    appid,
    :endpoint,
    beijing_date,
    calls
FROM unnest(
        cast(:appids AS text[]), cast(:beijing_dates AS date[]), cast(:calls AS integer[])
    ) AS reserved (appid, beijing_date, calls)
ORDER BY appid
ON CONFLICT (appid, endpoint, beijing_date) DO UPDATE SET calls = stored.calls + excluded.calls
