-- What a merge does: one row per pair that it changes or whose answer left values out. Rows that
-- are `attributed` have the same values: they only lack some, or, rebuilt, name another answer.
SELECT
    appid,
    {{ day }} AS publication_date,
    count(*) FILTER (WHERE is_new) AS inserted,
    count(*) FILTER (WHERE is_changed AND NOT is_new) AS updated,
    coalesce(sum(restated) FILTER (WHERE NOT is_new), 0) AS restated,
    coalesce(sum(kept) FILTER (WHERE NOT is_new), 0) AS kept,
    count(*) FILTER (WHERE NOT is_changed AND NOT is_new) AS attributed
FROM (
    SELECT
        appid,
        {{ day }},
        is_new,
        is_changed,
        (
            0
            {% for metric in figures %}
            + (
                old_{{ metric }} IS NOT NULL AND {{ metric }} IS DISTINCT FROM old_{{ metric }}
            )::integer
            {% endfor %}
        ) AS restated,
        absent - num_nulls(
            {% for metric in metrics %}
            {{ metric }}{{ "," if not loop.last }}
            {% endfor %}
        ) AS kept
    FROM different_{{ fact }}
) AS different
GROUP BY appid, {{ day }}
