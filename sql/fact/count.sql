-- What a merge did: one row per pair that it changed or whose answer left values out.
SELECT
    appid,
    publication_date,
    count(*) FILTER (WHERE is_new) AS inserted,
    count(*) FILTER (WHERE is_changed AND NOT is_new) AS updated,
    coalesce(sum(restated) FILTER (WHERE NOT is_new), 0) AS restated,
    coalesce(sum(kept) FILTER (WHERE NOT is_new), 0) AS kept
FROM (
    SELECT
        appid,
        publication_date,
        is_new,
        is_changed,
        (
            0
            {% for metric in figures %}
            + coalesce(({{ metric }} != old_{{ metric }})::integer, 0)
            {% endfor %}
        ) AS restated,
        absent - num_nulls(
            {% for metric in metrics %}
            {{ metric }}{{ "," if not loop.last }}
            {% endfor %}
        ) AS kept
    FROM different_{{ fact }}
) AS different
GROUP BY appid, publication_date
