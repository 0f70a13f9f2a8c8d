-- Days of accounts that somebody said are not wanted: one row per account; of all that there are
-- where none is named. Who said it last, and when, stands.
INSERT INTO weixin.unwanted_range AS unwanted (
    dataset, appid, begin_date, end_date, said_at, said_by
)
SELECT
    :dataset,
    appid,
    :begin_date,
    :end_date,
    :said_at,
    :said_by
FROM weixin.dim_account
WHERE cast(:appids AS text[]) IS NULL OR appid = any(:appids)
ON CONFLICT (appid, dataset, begin_date, end_date) DO UPDATE
    SET
        said_at = excluded.said_at,
        said_by = excluded.said_by
RETURNING appid
