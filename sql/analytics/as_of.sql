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
{% from "analytics/versions.jinja" import columns, names with context %}
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
    {{ columns("version", "version." ~ item) }}
    FROM weixin.{{ fact }} AS version
    {{ names("version", "version." ~ item) }}
    UNION ALL
    {{ columns("history", "history.item") }}
    FROM weixin.fact_history AS history
    CROSS JOIN jsonb_populate_record(NULL::weixin.{{ fact }}, history.row) AS version
    {{ names("history", "history.item") }}
        AND history.dataset = '{{ dataset.name }}'
        AND instant < history.replaced_at; -- noqa: RF02
END
