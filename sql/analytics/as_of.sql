{# for each: every_dataset #}
-- The rows of weixin.{{ fact }} as they stood at an instant: what an analyst would have seen then.
-- One row per {{ key | join(", ") }}; the columns are the fact's, which has a comment on each, with
-- the account's name{{ " and the article's title" if item == "msgid" }} of now.
{% if dataset.describes_articles %}
-- An article has the publication day that it has now.
{% endif %}
-- Rows changed by a load that had begun but was not yet committed at the instant are there as the
-- load made them.
-- 中文：某一时刻所知的数据
CREATE FUNCTION analytics.{{ dataset.name }}_as_of(
    -- the instant, with its offset: '2026-11-24 09:00+08'
    instant timestamp with time zone
)
RETURNS TABLE (
    appid text,
    account_name text,
    {% if item %}
    {{ item }} {{ "bigint" if dataset.item.is_number else "text" }},
    {% endif %}
    {% if item == "msgid" %}
    title text,
    {% endif %}
    stat_date date,
    {% for column in place %}
    {{ column }} date,
    {% endfor %}
    {% for metric in dataset.metrics %}
    {{ metric.name }} {{ metric.kind.value }},
    {% endfor %}
    extra jsonb,
    raw_response_id bigint,
    fetched_at timestamp with time zone,
    changed_at timestamp with time zone
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        version.appid,
        account.name,
        {% if item %}
        version.{{ item }},
        {% endif %}
        {% if item == "msgid" %}
        article.title,
        {% endif %}
        version.stat_date,
        {% for column in place %}
        version.{{ column }},
        {% endfor %}
        {% for metric in metrics %}
        version.{{ metric }},
        {% endfor %}
        version.extra,
        version.raw_response_id,
        version.fetched_at,
        version.changed_at
    FROM weixin.{{ fact }} AS version
    -- names by keys, so that filters reach the fact's index
    LEFT JOIN weixin.dim_account AS account
        ON version.appid = account.appid
    {% if item == "msgid" %}
    LEFT JOIN weixin.dim_article AS article
        ON version.appid = article.appid AND version.msgid = article.msgid
    {% endif %}
    WHERE version.changed_at <= instant -- noqa: RF02
    UNION ALL
    SELECT
        history.appid,
        account.name,
        {% if item %}
        {{ "history.item::bigint" if dataset.item.is_number else "history.item" }},
        {% endif %}
        {% if item == "msgid" %}
        article.title,
        {% endif %}
        history.stat_date,
        {% for column in place %}
        article.{{ column }},
        {% endfor %}
        {% for metric in metrics %}
        version.{{ metric }},
        {% endfor %}
        version.extra,
        version.raw_response_id,
        version.fetched_at,
        history.changed_at
    FROM weixin.fact_history AS history
    CROSS JOIN jsonb_populate_record(NULL::weixin.{{ fact }}, history.row) AS version
    LEFT JOIN weixin.dim_account AS account
        ON history.appid = account.appid
    {% if item == "msgid" %}
    LEFT JOIN weixin.dim_article AS article
        ON history.appid = article.appid AND history.item = article.msgid
    {% endif %}
    WHERE
        history.dataset = '{{ dataset.name }}'
        AND history.changed_at <= instant -- noqa: RF02
        AND instant < history.replaced_at; -- noqa: RF02
END
