-- What other values known rows get, for people: one row per metric, and one for what is unknown,
-- that differs somewhere, with how many figures do, and the first of them.
SELECT
    figure.metric,
    count(*) AS figure_count,
    (
        array_agg(
            jsonb_build_array(
                changed.appid,
                {{ "changed." ~ item ~ "::text" if item else "''" }},
                changed.stat_date,
                figure.old_value,
                figure.new_value
            )
            ORDER BY changed.{{ key | join(", changed.") }}
        )
    )[1] AS example
FROM different_{{ fact }} AS changed
CROSS JOIN
    LATERAL (
        VALUES
        {% for metric in metrics %}
        (
            '{{ metric }}',
            changed.{{ metric }} IS DISTINCT FROM changed.old_{{ metric }},
            changed.old_{{ metric }}::text,
            changed.{{ metric }}::text
        ),
        {% endfor %}
        (
            'extra',
            changed.extra IS DISTINCT FROM changed.old_extra,
            changed.old_extra::text,
            changed.extra::text
        )
    ) AS figure (metric, is_other, old_value, new_value)
WHERE changed.is_changed AND NOT changed.is_new AND figure.is_other
GROUP BY figure.metric
