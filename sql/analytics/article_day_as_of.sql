{# for each: datasets #}
-- Return the figures that every endpoint counts, as analytics.article_day{{ dataset.suffix }} had
-- them at an instant: one row per account, article and stat_date. An article has its present
-- publication day and title. The other figures of the instant are in
-- analytics.{{ dataset.name }}_as_of
-- 中文：某一时刻所知的每日累计值与新增值
CREATE FUNCTION analytics.article_day{{ dataset.suffix }}_as_of(
    -- the instant, with its offset: '2026-11-24 09:00+08'
    instant timestamp with time zone
)
RETURNS TABLE (
    appid text,
    account_name text,
    msgid text,
    title text,
    publication_date date,
    stat_date date,
    day_number integer,
    {% for common in dataset.common %}
    {{ common.name }} bigint,
    {{ common.name }}_increment bigint,
    {% endfor %}
    is_latest boolean
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        appid,
        account_name,
        msgid,
        title,
        publication_date,
        stat_date,
        stat_date - publication_date + 1,
        {% for common in dataset.common %}
        {% if common.metric %}
        {{ common.metric.name }},
        -- WeChat leaves figures out: the greatest array [day, value] has the last known value
        {{ common.metric.name }} - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', {{ common.metric.name }}])
                FILTER (WHERE {{ common.metric.name }} IS NOT NULL) OVER earlier
            )[2], 0
        ),
        {% else %}
        NULL::bigint,
        NULL::bigint,
        {% endif %}
        {% endfor %}
        stat_date = max(stat_date) OVER article
    FROM analytics.{{ dataset.name }}_as_of(instant)
    -- These columns let filters on them reach the index.
    WINDOW
        article AS (PARTITION BY appid, account_name, msgid, publication_date),
        earlier AS (
            PARTITION BY appid, account_name, msgid, publication_date
            ORDER BY stat_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        );
END
