{# for each: datasets #}
-- The figures of analytics.article_day{{ dataset.suffix }} as they stood at an
-- instant, with the increments that its rows had then. One row per account, article and stat_date.
-- An article has the publication day and the title that it has now; whether it was final is not
-- kept.
-- 中文：某一时刻所知的每日累计值与新增值
{% from "analytics/macros.jinja" import fall_and_figures, last_known %}
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
    days_spanned integer,
    is_latest boolean,
    has_fall boolean,
    {% for it in dataset.common %}
    {{ it.name }} bigint,
    {{ it.name }}_increment bigint,
    {% endfor %}
    {% for metric in dataset.totals %}
    {{ metric.name }} {{ metric.kind.value }},
    {% endfor %}
    {% for metric in dataset.wholes if not metric.common %}
    {{ metric.name }}_increment {{ metric.kind.value }},
    {% endfor %}
    {% for metric in dataset.metrics if metric not in dataset.totals %}
    {{ metric.name }} {{ metric.kind.value }},
    {% endfor %}
    raw_response_id bigint,
    changed_at timestamp with time zone
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        day.appid,
        day.account_name,
        day.msgid,
        day.title,
        day.publication_date,
        day.stat_date,
        day.stat_date - day.publication_date + 1,
        day.days_spanned,
        day.is_latest,
        {{ fall_and_figures(dataset) | indent }}
        day.raw_response_id,
        day.changed_at
    FROM (
        SELECT
            known.*,
            {% for metric in dataset.wholes %}
            {{ metric.name }} - coalesce(
                {{ last_known(metric.name, " OVER earlier") | indent(12) }}, 0
            )
                AS {{ metric.name }}_increment,
            {% endfor %}
            stat_date - coalesce(max(stat_date) OVER earlier, publication_date - 1)
                AS days_spanned,
            stat_date = max(stat_date) OVER article AS is_latest
        FROM analytics.{{ dataset.name }}_as_of(instant) AS known
        -- so that filters on these reach the index
        WINDOW
            article AS (PARTITION BY appid, account_name, msgid, publication_date),
            earlier AS (
                PARTITION BY appid, account_name, msgid, publication_date
                ORDER BY stat_date
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
    ) AS day;
END
