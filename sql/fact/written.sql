-- Return the numbers of the falls whose rows this load has written: one row per fall of a running
-- total. A fall between unchanged rows was reported when those rows were written.
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
