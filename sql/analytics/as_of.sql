-- The rows of weixin.{{ fact }} as they stood at an instant: what an analyst would have seen then.
-- One row per account, article and stat_date; the columns are the fact's, which has a comment on
-- each. An article has the publication day that it has now. Rows changed by a load that had begun
-- but was not yet committed at the instant are there as the load made them.
-- 中文：某一时刻所知的数据
CREATE FUNCTION analytics.{{ dataset.name }}_as_of(
    -- the instant, with its offset: '2026-11-24 09:00+08'
    instant timestamp with time zone
)
RETURNS TABLE (
    appid text,
    msgid text,
    stat_date date,
    publication_date date,
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
    SELECT
        version.appid,
        version.msgid,
        version.stat_date,
        {{ "version" if loop.first else "article" }}.publication_date,
        {% for metric in metrics %}
        version.{{ metric }},
        {% endfor %}
        version.extra,
        version.raw_response_id,
        version.fetched_at,
        version.loaded_at,
        version.changed_at
    FROM weixin.{{ table }} AS version
    {% if loop.first %}
    WHERE version.changed_at <= instant
    UNION ALL
    {% else %}
    LEFT JOIN weixin.dim_article AS article
        ON version.appid = article.appid AND version.msgid = article.msgid
    WHERE version.changed_at <= instant AND instant < version.replaced_at; -- noqa: RF02
    {% endif %}
    {% endfor %}
END
