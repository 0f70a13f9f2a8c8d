-- One row per figure or list that was loaded and later given another value, also where there was
-- none before: what the history says has changed. The version that replaced a row is looked up for
-- the columns that tell of it alone: listing metrics reads nothing but the history
{% from "weixin/macros.jinja" import figure, list, replaced_by, total_before %}
CREATE VIEW weixin.restatement (
    -- Which endpoint: article_total, …
    dataset,
    -- The account
    appid,
    -- The article; NULL in a dataset without articles
    msgid,
    -- The day whose figure changed (Beijing)
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
    changed_at,
    -- What the increment of stat_date changed by: it is the total less the last one known of an
    -- earlier day, which may have changed in the same load; null unless it is a running total's
    increment_difference,
    -- The channel by which followers came; NULL in a dataset without channels
    user_source
) AS
{% for dataset in every_dataset %}
SELECT
    '{{ dataset.name }}' AS dataset,
    old.appid,
    {{ "old.msgid" if "msgid" in dataset.key else "NULL" }} AS msgid,
    old.stat_date,
    changed.metric,
    CASE
        WHEN num_nonnulls({{ figure(dataset, "old") }}, {{ list(dataset, "old") }}) = 0 THEN 'late'
        WHEN
            old.cause = 'replay'
            AND {{
                replaced_by(
                    dataset,
                    "num_nonnulls(" ~ figure(dataset, "new") ~ ", " ~ list(dataset, "new") ~ ")"
                )
            }} = 0
            THEN 'removed'
        ELSE 'correction'
    END AS kind,
    {{ replaced_by(dataset, "new.raw_response_id") }} AS raw_response_id,
    {{ figure(dataset, "old") }} AS old_value,
    {{ replaced_by(dataset, figure(dataset, "new")) }} AS new_value,
    {{ list(dataset, "old") }} AS old_list,
    {{ replaced_by(dataset, list(dataset, "new")) }} AS new_list,
    old.cause,
    old.replaced_at AS changed_at,
    {% if dataset.totals %}
    CASE
        WHEN
            changed.metric IN (
                {% for metric in dataset.totals %}
                '{{ metric.name }}'{{ "," if not loop.last }}
                {% endfor %}
            )
            THEN
                coalesce(
                    {{ replaced_by(dataset, figure(dataset, "new")) }}
                    - {{ total_before(dataset, True) }}, 0
                )
                - coalesce({{ figure(dataset, "old") }} - {{ total_before(dataset, False) }}, 0)
    END AS increment_difference,
    {% else %}
    NULL::numeric AS increment_difference,
    {% endif %}
    {{ "old.user_source" if "user_source" in dataset.key else "NULL::bigint" }} AS user_source
FROM weixin.{{ dataset.fact }}_history AS old
CROSS JOIN LATERAL unnest(old.changed_metrics) AS changed (metric)
-- those of this release
WHERE
    changed.metric IN (
        {% for metric in dataset.metrics %}
        '{{ metric.name }}'{{ "," if not loop.last }}
        {% endfor %}
    )
{% if not loop.last %}
UNION ALL
{% endif %}
{% endfor %}
