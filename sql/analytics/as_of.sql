-- The rows of weixin.{{ fact }} as they stood at an instant: what an analyst would have seen then.
-- One row per account, article and stat_date. Rows changed by a load that had begun but was not yet
-- committed at the instant are there as the load made them.
-- 中文：某一时刻所知的数据
CREATE FUNCTION analytics.{{ dataset.name }}_as_of(
    -- the instant, with its offset: '2026-11-24 09:00+08'
    instant timestamp with time zone
)
RETURNS SETOF weixin.{{ fact }}
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    {% for table in [fact, fact + "_history"] %}
    SELECT
        appid,
        msgid,
        stat_date,
        publication_date,
        {% for metric in metrics %}
        {{ metric }},
        {% endfor %}
        extra,
        raw_response_id,
        fetched_at,
        loaded_at,
        changed_at
    FROM weixin.{{ table }}
    {% if loop.first %}
    WHERE changed_at <= instant
    UNION ALL
    {% else %}
    WHERE changed_at <= instant AND instant < replaced_at;
    {% endif %}
    {% endfor %}
END
