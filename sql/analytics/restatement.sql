-- One row per figure whose value changed after its row was loaded, including those that WeChat had
-- left out before. A row that is loaded for the first time restates nothing
-- 中文：每次数据变更一行：更正、迟到、移除
-- key: dataset, appid, msgid, stat_date, metric, changed_at
-- joins: appid to account; dataset, metric to metric; stat_date to calendar
{% import "analytics/columns.jinja" as the %}
CREATE VIEW analytics.restatement (
    -- Which endpoint the figures come from
    -- 中文：接口
    dataset,
    {{ the.appid }},
    {{ the.account_name }},
    -- WeChat's id of the article; of follower_change the channel's number; empty where there is
    -- neither
    -- 中文：文章 ID
    msgid,
    {{ the.title }},
    {{ the.publication_date }},
    -- The day whose total changed (Beijing)
    -- 中文：统计日期（北京时间）
    stat_date,
    -- Name of the metric, see analytics.metric
    -- 中文：指标名
    metric,
    -- correction: it had a value and was given another, by WeChat or by a replay: see cause. late:
    -- it had none, WeChat gave it later: no correction. removed: it had one, and a replay found
    -- that no kept answer gives it
    -- 中文：类型：correction 更正，late 迟到（此前为空），removed 移除
    kind,
    -- Value before; NULL when it had none
    -- 中文：变更前的值
    -- unit: of the metric, level
    old_value,
    -- Value after; NULL when it was removed
    -- 中文：变更后的值
    -- unit: of the metric, level
    new_value,
    -- new_value - old_value of the total: later totals of the article contain it too, so never add
    -- it up over days. What a day's increment was: analytics.article_day_7d_as_of. NULL unless it
    -- is the correction of a figure
    -- 中文：累计值差值
    -- unit: of the metric, level
    total_difference,
    -- wechat: WeChat answered something else; replay: the fact was rebuilt from the kept answers,
    -- which a newer parser read differently, or of which some came late
    -- 中文：原因：wechat 微信改数，replay 重新解析
    cause,
    -- When it was loaded
    -- 中文：变更时间
    changed_at
) AS
-- a version of a row is compared with the next one, which began when it was replaced
SELECT
    old.dataset,
    old.appid,
    account.name AS account_name,
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
    changed.new_value - changed.old_value AS total_difference,
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
        -- the next version is looked up once a row, not for each metric
        OFFSET 0 -- noqa: AM09
    ) AS changed
LEFT JOIN weixin.dim_article AS article
    ON old.appid = article.appid AND old.item = article.msgid
WHERE changed.old_value IS DISTINCT FROM changed.new_value
