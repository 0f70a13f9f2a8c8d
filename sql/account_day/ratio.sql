-- Store by how much the figures of getarticletotal and of its successor differ, per account: the
-- sum by the former over the sum by the latter, over the days that are complete in both. The ratio
-- is NULL without such days.
{% from "analytics/both.jinja" import column, counted_by_both, new, old with context %}
UPDATE weixin.account_day_state AS state
SET
    (
        {% for common in counted_by_both %}
        {{ common.name }}_ratio{{ "," if not loop.last }}
        {% endfor %}
    ) = (
        SELECT
        {% for common in counted_by_both %}
        sum(old_day.{{ column(old, common) }})
        FILTER (WHERE new_day.{{ column(new, common) }} IS NOT NULL)
        / nullif(
            sum(new_day.{{ column(new, common) }})
            FILTER (WHERE old_day.{{ column(old, common) }} IS NOT NULL), 0
        ){{ "," if not loop.last }}
        {% endfor %}
        FROM weixin.account_day AS old_day
        INNER JOIN weixin.account_day AS new_day
            ON
                old_day.appid = new_day.appid
                AND old_day.calendar_date = new_day.calendar_date
        WHERE
            old_day.dataset = '{{ old.name }}'
            AND old_day.appid = state.appid
            AND old_day.is_complete
            AND new_day.dataset = '{{ new.name }}'
            AND new_day.is_complete
    )
WHERE state.dataset = '{{ new.name }}' AND state.appid = any(:appids)
