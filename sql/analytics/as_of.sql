-- The rows of weixin.{{ fact }} as they stood at an instant: what an analyst would have seen then.
-- One row per {{ key | join(", ") }}; the columns are the fact's, which has a comment on each.
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
    {% if item %}
    {{ item }} {{ "bigint" if dataset.item.is_number else "text" }},
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
    loaded_at timestamp with time zone,
    changed_at timestamp with time zone
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    {% for table in [fact, fact + "_history"] %}
    {% set is_history = loop.last %}
    SELECT
        {% for column in key %}
        version.{{ column }},
        {% endfor %}
        {% for column in place %}
        {{ "article" if is_history else "version" }}.{{ column }},
        {% endfor %}
        {% for metric in metrics %}
        version.{{ metric }},
        {% endfor %}
        version.extra,
        version.raw_response_id,
        version.fetched_at,
        version.loaded_at,
        version.changed_at
    FROM weixin.{{ table }} AS version
    {% if is_history and place %}
    LEFT JOIN weixin.dim_article AS article
        ON version.appid = article.appid AND version.msgid = article.msgid
    {% endif %}
    {% if is_history %}
    WHERE version.changed_at <= instant AND instant < version.replaced_at; -- noqa: RF02
    {% else %}
    WHERE version.changed_at <= instant
    UNION ALL
    {% endif %}
    {% endfor %}
END
