-- Of falls between two rows of an article those of which this load has written a row: one row per
-- fall, with its number. The falls of rows that stay as they are were told when they were written.
SELECT DISTINCT fall.number
FROM unnest(
        cast(:appids AS text[]),
        cast(:msgids AS text[]),
        cast(:stat_dates AS date[]),
        cast(:earlier_dates AS date[])
    ) WITH ORDINALITY AS fall (appid, msgid, stat_date, earlier_date, number)
INNER JOIN weixin.{{ fact }} AS fact
    ON
        fall.appid = fact.appid
        AND fall.msgid = fact.msgid
        AND fact.stat_date IN (fall.stat_date, fall.earlier_date)
WHERE fact.changed_at >= :changed_at
