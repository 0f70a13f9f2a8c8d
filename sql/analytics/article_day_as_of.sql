{# for each: datasets #}
-- What every endpoint counts of an article and day, as analytics.article_day{{ dataset.suffix }}
-- had it at an instant. One row per account, article and stat_date. An article has the publication
-- day and the title that it has now. The other figures of the instant are in
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
    {% for it in dataset.common %}
    {{ it.name }} bigint,
    {{ it.name }}_increment bigint,
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
        {% for it in dataset.common %}
        {% if it.metric %}
        {{ it.metric.name }},
        -- WeChat leaves figures out: the greatest of arrays [day, value] is the last one known
        {{ it.metric.name }} - coalesce(
            (
                max(ARRAY[stat_date - date '2000-01-01', {{ it.metric.name }}])
                FILTER (WHERE {{ it.metric.name }} IS NOT NULL) OVER earlier
            )[2], 0
        ),
        {% else %}
        NULL::bigint,
        NULL::bigint,
        {% endif %}
        {% endfor %}
        stat_date = max(stat_date) OVER article
    FROM analytics.{{ dataset.name }}_as_of(instant)
    -- so that filters on these reach the index
    WINDOW
        article AS (PARTITION BY appid, account_name, msgid, publication_date),
        earlier AS (
            PARTITION BY appid, account_name, msgid, publication_date
            ORDER BY stat_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        );
END
