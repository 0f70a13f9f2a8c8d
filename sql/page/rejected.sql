-- The open rejected parts of a day: one row per reason and key, the most frequent first, with how
-- many parts, of how many articles (of other datasets: items), and of which days.
{% from "weixin/rejected.jinja" import sentence with context %}
SELECT
    {{ sentence() | indent }} AS reason,
    count(*) AS part_count,
    count(DISTINCT part.msgid) AS item_count,
    min(part.msgid) AS msgid,
    array_agg(DISTINCT part.stat_date ORDER BY part.stat_date)
    FILTER (WHERE part.stat_date IS NOT NULL) AS days
FROM weixin.rejected_row AS part
WHERE
    part.dataset = :dataset
    AND part.appid = :appid
    AND part.day = cast(:day AS date)
    AND part.resolved_at IS NULL
GROUP BY part.code, part.field
ORDER BY count(*) DESC, part.code ASC, part.field ASC
