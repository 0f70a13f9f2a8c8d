{# for each: datasets #}
-- The increments of analytics.account_day{{ dataset.suffix }} as they stood
-- at an instant. One row per account and calendar day that had rows then: whether the day was
-- complete is not kept, nor that nothing came.
-- 中文：某一时刻所知的公众号每日新增值
CREATE FUNCTION analytics.account_day{{ dataset.suffix }}_as_of(
    -- the instant, with its offset: '2026-11-24 09:00+08'
    instant timestamp with time zone
)
RETURNS TABLE (
    appid text,
    calendar_date date,
    articles_reported bigint,
    most_days_spanned integer,
    {% for metric in dataset.totals %}
    {{ metric.name }}_increment numeric,
    {% endfor %}
    has_fall boolean
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        day.appid,
        day.stat_date,
        count(*) FILTER (WHERE day.day_number BETWEEN 1 AND {{ dataset.window }}),
        max(day.days_spanned),
        {% for metric in dataset.totals %}
        sum(day.{{ metric.name }}_increment),
        {% endfor %}
        bool_or(day.has_fall)
    FROM analytics.article_day{{ dataset.suffix }}_as_of(instant) AS day
    GROUP BY day.appid, day.stat_date;
END
