-- One row per figure or list that was loaded and later given another value, also where there was
-- none before: where a version of a row differs from the next one, which began when it was
-- replaced.
-- Of metrics that this release does not know nothing is told
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
    -- which a newer parser read differently, or of which some came late
    cause,
    -- When it was loaded
    changed_at,
    -- The channel by which followers came; NULL in a dataset without channels
    user_source,
    -- What people call the account: here, so that a question by it reads the account's history only
    account_name
) AS
{% for dataset in every_dataset %}
SELECT
    old.dataset,
    old.appid,
    {{ "old.item" if "msgid" in dataset.key else "NULL" }} AS msgid,
    old.stat_date,
    metric.name AS metric,
    CASE
        WHEN changed.old_value IS NULL THEN 'late'
        WHEN old.cause = 'replay' AND changed.new_value IS NULL THEN 'removed'
        ELSE 'correction'
    END AS kind,
    (new.row ->> 'raw_response_id')::bigint AS raw_response_id,
    CASE WHEN NOT metric.is_list THEN changed.old_value::numeric END AS old_value,
    CASE WHEN NOT metric.is_list THEN changed.new_value::numeric END AS new_value,
    CASE WHEN metric.is_list THEN changed.old_value::jsonb END AS old_list,
    CASE WHEN metric.is_list THEN changed.new_value::jsonb END AS new_list,
    old.cause,
    old.replaced_at AS changed_at,
    {{ "old.item" if "user_source" in dataset.key else "NULL" }}::bigint AS user_source,
    account.name AS account_name
FROM weixin.dim_account AS account
INNER JOIN weixin.fact_history AS old
    ON account.appid = old.appid
LEFT JOIN
    LATERAL (
        SELECT next.row
        FROM weixin.fact_history AS next
        WHERE
            next.appid = old.appid
            AND next.dataset = old.dataset
            AND next.item = old.item
            AND next.stat_date = old.stat_date
            AND next.changed_at = old.replaced_at
        UNION ALL
        SELECT to_jsonb(fact)
        FROM weixin.{{ dataset.fact }} AS fact
        WHERE
            fact.appid = old.appid
            {% if dataset.item %}
            AND fact.{{ dataset.item.name }} = old.item{{ "::bigint" if dataset.item.is_number }}
            {% endif %}
            AND fact.stat_date = old.stat_date
            AND fact.changed_at = old.replaced_at
    ) AS new
    ON TRUE
CROSS JOIN
    (
        VALUES
        {% for metric in dataset.metrics %}
        ('{{ metric.name }}', {{ (metric in dataset.lists) | upper }}){{ "," if not loop.last }}
        {% endfor %}
    ) AS metric (name, is_list)
CROSS JOIN
    LATERAL (
        SELECT
            old.row ->> metric.name AS old_value,
            new.row ->> metric.name AS new_value
    ) AS changed
WHERE
    old.dataset = '{{ dataset.name }}'
    AND nullif(old.row -> metric.name, 'null')
    IS DISTINCT FROM nullif(new.row -> metric.name, 'null')
{% if not loop.last %}
UNION ALL
{% endif %}
{% endfor %}
