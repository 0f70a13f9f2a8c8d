-- Figures of the rows that change which had another value: one row each.
INSERT INTO weixin.restatement (
    dataset,
    appid,
    msgid,
    stat_date,
    metric,
    raw_response_id,
    old_value,
    new_value,
    cause,
    changed_at
)
SELECT
    :dataset,
    changed.appid,
    changed.msgid,
    changed.stat_date,
    figure.metric,
    changed.raw_response_id,
    figure.old_value,
    figure.new_value,
    :cause,
    changed.changed_at
FROM different_{{ fact }} AS changed
CROSS JOIN
    LATERAL (
        VALUES
        {% for metric in figures %}
        (
            '{{ metric }}', changed.old_{{ metric }}, changed.{{ metric }}
        ){{ "," if not loop.last }}
        {% endfor %}
    ) AS figure (metric, old_value, new_value)
WHERE
    NOT changed.is_new
    AND figure.old_value IS NOT NULL
    AND figure.new_value IS DISTINCT FROM figure.old_value
ON CONFLICT (dataset, appid, msgid, stat_date, metric, raw_response_id, cause) DO UPDATE
    SET
        old_value = excluded.old_value,
        new_value = excluded.new_value,
        changed_at = excluded.changed_at
