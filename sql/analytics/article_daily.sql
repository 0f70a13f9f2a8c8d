-- One row per article and stat_date of {{ dataset.name }}: what came since the row before. The
-- increments of an article add up to its latest totals. Use this view instead of subtracting
-- totals
{% from "analytics/macros.jinja" import last_known %}
{% set people = "; additional people, each counted once per article" %}
CREATE VIEW analytics.article_daily{{ dataset.suffix }} (
    -- The account
    appid,
    -- The article, see analytics.article
    msgid,
    -- Day of publication (Beijing)
    publication_date,
    -- The day (Beijing) at whose end the total stood; a day WeChat gave no row for has none here
    stat_date,
    -- Days the increments cover: since the row before, or since publication for the first row. The
    -- increment of a metric that the row before left out reaches back to the last row that held it
    days_spanned,
    -- Whether a total fell, so that an increment is negative
    is_restated,
    {% for metric in dataset.totals %}
    -- Increment of {{ metric.name }} ({{ metric.meaning }}): the total minus its last known earlier
    -- value, or the whole total where there is none{{ people if metric.unit == "people" }}
    {{ metric.name }},
    {% endfor %}
    {% for metric in dataset.others %}
    -- Not an increment, but as the row has it: {{ metric.meaning }}
    {{ metric.name }}{{ "," if not loop.last }}
    {% endfor %}
) AS
SELECT
    appid,
    msgid,
    publication_date,
    stat_date,
    days_spanned,
    coalesce(
        least(
            {% for metric in dataset.totals %}
            {{ metric.name }}{{ "," if not loop.last }}
            {% endfor %}
        ) < 0,
        FALSE
    ) AS is_restated,
    {% for metric in dataset.totals %}
    {{ metric.name }},
    {% endfor %}
    {% for metric in dataset.others[:-1] %}
    {{ metric.name }},
    {% endfor %}
    {{ dataset.others[-1].name }}
FROM (
    SELECT
        appid,
        msgid,
        publication_date,
        stat_date,
        {% for metric in dataset.others %}
        {{ metric.name }},
        {% endfor %}
        {% for metric in dataset.totals %}
        {{ metric.name }} - coalesce({{ last_known(metric.name, "earlier") }}, 0)
            AS {{ metric.name }},
        {% endfor %}
        stat_date - coalesce(max(stat_date) OVER earlier, publication_date - 1) AS days_spanned
    FROM weixin.{{ dataset.fact }}
    WINDOW earlier AS (
        PARTITION BY appid, msgid, publication_date
        ORDER BY stat_date
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
) AS increment
