-- How many rows the fact holds of some pairs: one row per pair that has any.
SELECT
    fact.appid,
    fact.{{ day }} AS publication_date,
    count(*) AS row_count
FROM unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS pair (appid, publication_date)
INNER JOIN weixin.{{ fact }} AS fact
    ON
        pair.appid = fact.appid
        AND pair.publication_date = fact.{{ day }}
GROUP BY fact.appid, fact.{{ day }}
