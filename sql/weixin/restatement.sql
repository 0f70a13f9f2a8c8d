-- One row per figure or list that was loaded and later given another value, also where there was
-- none before: each version of a row in the history is compared with the one that replaced it
CREATE VIEW weixin.restatement (
    -- Which endpoint: article_total, …
    dataset,
    -- The account
    appid,
    -- The article
    msgid,
    -- The day whose total changed (Beijing)
    stat_date,
    -- Name of the metric, as the fact's column
    metric,
    -- correction: it had a value and was given another; late: it had none; removed: a replay found
    -- that no kept answer gives it
    kind,
    -- The answer that gave the new value
    raw_response_id,
    -- Value before; null when there was none, and of a list
    old_value,
    -- Value after; null when it was removed, and of a list
    new_value,
    -- List before; null when there was none, and of a figure
    old_list,
    -- List after; null when it was removed, and of a figure
    new_list,
    -- wechat: WeChat answered something else; replay: the fact was rebuilt from the kept answers,
    -- which a newer parser read differently, or somebody had changed the fact
    cause,
    -- When it was loaded
    changed_at
) AS
{% for dataset in datasets %}
SELECT
    '{{ dataset.name }}' AS dataset,
    old.appid,
    old.msgid,
    old.stat_date,
    figure.metric,
    CASE
        WHEN figure.old_value IS NULL AND figure.old_list IS NULL THEN 'late'
        WHEN figure.new_value IS NULL AND figure.new_list IS NULL THEN 'removed'
        ELSE 'correction'
    END AS kind,
    new.raw_response_id,
    figure.old_value,
    figure.new_value,
    figure.old_list,
    figure.new_list,
    old.cause,
    old.replaced_at AS changed_at
FROM weixin.{{ dataset.fact }}_history AS old
CROSS JOIN
    LATERAL (
        SELECT
            {% for metric in dataset.metrics %}
            history.{{ metric.name }},
            {% endfor %}
            history.raw_response_id,
            history.history_id
        FROM weixin.{{ dataset.fact }}_history AS history
        WHERE
            history.appid = old.appid
            AND history.msgid = old.msgid
            AND history.stat_date = old.stat_date
            AND history.history_id > old.history_id
        UNION ALL
        SELECT
            {% for metric in dataset.metrics %}
            fact.{{ metric.name }},
            {% endfor %}
            fact.raw_response_id,
            NULL
        FROM weixin.{{ dataset.fact }} AS fact
        WHERE
            fact.appid = old.appid
            AND fact.msgid = old.msgid
            AND fact.stat_date = old.stat_date
        ORDER BY history_id -- noqa: RF02
        LIMIT 1
    ) AS new
CROSS JOIN
    LATERAL (
        VALUES
        {% for metric in dataset.lists %}
        ('{{ metric.name }}', NULL, NULL, old.{{ metric.name }}, new.{{ metric.name }}),
        {% endfor %}
        {% for metric in dataset.figures %}
        (
            '{{ metric.name }}',
            old.{{ metric.name }}::numeric,
            new.{{ metric.name }}::numeric,
            NULL::jsonb,
            NULL::jsonb
        ){{ "," if not loop.last }}
        {% endfor %}
    ) AS figure (metric, old_value, new_value, old_list, new_list)
WHERE
    figure.old_value IS DISTINCT FROM figure.new_value
    OR figure.old_list IS DISTINCT FROM figure.new_list
{% if not loop.last %}
UNION ALL
{% endif %}
{% endfor %}
