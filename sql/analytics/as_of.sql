{# for each: every_dataset #}
-- Return the rows of weixin.{{ fact }} with the figures of an instant: one row per
-- {{ key | join(", ") }}. The columns are those of the fact, where each has a comment, and the
-- present name of the account{{ " and title of the article" if item == "msgid" }}.
{% if dataset.describes_articles %}
-- An article has its present publication day.
{% endif %}
-- A load that had begun before the instant and was committed later is included.
-- 中文：某一时刻所知的数据
{% from "analytics/versions.jinja" import name_joins, version_columns with context %}
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
    {{ version_columns("version", "version." ~ item) }}
    FROM weixin.{{ fact }} AS version
    {{ name_joins("version", "version." ~ item) }}
    UNION ALL
    {{ version_columns("history", "history.item") }}
    FROM weixin.fact_history AS history
    CROSS JOIN jsonb_populate_record(NULL::weixin.{{ fact }}, history.row) AS version
    {{ name_joins("history", "history.item") }}
        AND history.dataset = '{{ dataset.name }}'
        AND instant < history.replaced_at; -- noqa: RF02
END
