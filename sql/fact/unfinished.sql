-- Publication days of an account with an article that lacks its last row: one row per day.
-- An answer that leaves the article out does not end the wait for that row.
SELECT DISTINCT publication_date
FROM (
    SELECT publication_date
    FROM weixin.{{ fact }}
    WHERE appid = :appid AND publication_date = any(:publication_dates)
    GROUP BY publication_date, msgid
    HAVING NOT bool_or(stat_date = publication_date + {{ window }} - 1)
) AS article
