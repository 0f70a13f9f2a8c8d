-- One row per figure that changed after its row was loaded, including figures that WeChat had left
-- out before. The first load of a row is no restatement. Later totals of an article contain a
-- correction too: for the increments of a day as they were, see the functions whose names end in
-- _as_of
-- 中文：每次数据变更一行：更正、迟到、移除
-- key: dataset, appid, msgid, stat_date, metric, changed_at
-- joins: appid to account; dataset, metric to metric; stat_date to calendar
{% import "analytics/columns.jinja" as shared %}
CREATE VIEW analytics.restatement (
    -- Which endpoint the figures come from
    -- 中文：接口
    dataset,
    {{ shared.appid }},
    {{ shared.account_name }},
    -- WeChat's id of the article; in follower_change the channel's number; empty in datasets
    -- without either
    -- 中文：文章 ID
    msgid,
    {{ shared.title }},
    {{ shared.publication_date }},
    -- The day whose total changed (Beijing)
    -- 中文：统计日期（北京时间）
    stat_date,
    -- Name of the metric, see analytics.metric
    -- 中文：指标名
    metric,
    -- correction: WeChat or a replay replaced a value by another one, see cause. late: WeChat gave
    -- the first value later, which is no correction. removed: a replay found that no kept answer
    -- has the value
    -- 中文：类型：correction 更正，late 迟到（此前为空），removed 移除
    kind,
    -- Value before the change; NULL when there was none
    -- 中文：变更前的值
    -- unit: of the metric, level
    old_value,
    -- Value after the change; NULL when it was removed
    -- 中文：变更后的值
    -- unit: of the metric, level
    new_value,
    -- wechat: a newer answer has another value; replay: the fact was rebuilt from the kept answers,
    -- with a newer parser or with answers that were imported late
    -- 中文：原因：wechat 微信改数，replay 重新解析
    cause,
    -- When the change was loaded
    -- 中文：变更时间
    changed_at
) AS
-- Compare each version of a row with the next one, whose changed_at is its replaced_at.
SELECT
    old.dataset,
    old.appid,
    account.unique_name AS account_name,
    old.item AS msgid,
    article.title,
    article.publication_date,
    old.stat_date,
    changed.name AS metric,
    CASE
        WHEN changed.old_value IS NULL THEN 'late'
        WHEN old.cause = 'replay' AND changed.new_value IS NULL THEN 'removed'
        ELSE 'correction'
    END AS kind,
    changed.old_value,
    changed.new_value,
    old.cause,
    old.replaced_at AS changed_at
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
        {% for dataset in every_dataset %}
        UNION ALL
        SELECT to_jsonb(fact)
        FROM weixin.{{ dataset.fact }} AS fact
        WHERE
            old.dataset = '{{ dataset.name }}'
            AND fact.appid = old.appid
            {% if dataset.item %}
            AND fact.{{ dataset.item.name }} = old.item{{ "::bigint" if dataset.item.is_number }}
            {% endif %}
            AND fact.stat_date = old.stat_date
            AND fact.changed_at = old.replaced_at
        {% endfor %}
    ) AS new
    ON TRUE
CROSS JOIN
    LATERAL (
        SELECT
            metric.name,
            (old.row ->> metric.name)::numeric AS old_value,
            (new.row ->> metric.name)::numeric AS new_value
        FROM analytics.metric
        WHERE metric.dataset = old.dataset AND metric.unit != 'list'
        -- OFFSET makes Postgres look up the next version once per row, not once per metric.
        OFFSET 0 -- noqa: AM09
    ) AS changed
LEFT JOIN weixin.dim_article AS article
    ON old.appid = article.appid AND old.item = article.msgid
WHERE changed.old_value IS DISTINCT FROM changed.new_value
