-- Staged rows that the fact lacks or holds with other values: one row each.
-- A metric the answer does not hold keeps its value; `absent` are those it does not hold. A row in
-- which values are only absent has not changed. Rows that `are_rebuilt` of all kept answers replace
-- the fact's: what none of the answers holds becomes null, and a row whose values are the same may
-- name another answer. changed_at never goes back, even if the clock does: the versions of a row
-- stand one after the other.
{% macro value(name) -%}
CASE WHEN :are_rebuilt THEN staged.{{ name }} ELSE coalesce(staged.{{ name }}, fact.{{ name }}) END
{%- endmacro %}
{% macro extra() -%}
CASE
        WHEN :are_rebuilt THEN staged.extra
        ELSE coalesce(fact.extra || staged.extra, staged.extra, fact.extra)
    END
{%- endmacro %}
INSERT INTO different_{{ fact }} (
    {% for column in key + place %}
    {{ column }},
    {% endfor %}
    {% for metric in metrics %}
    {{ metric }},
    old_{{ metric }},
    {% endfor %}
    extra,
    old_extra,
    raw_response_id,
    fetched_at,
    loaded_at,
    changed_at,
    {% for column in place %}
    old_{{ column }},
    {% endfor %}
    old_raw_response_id,
    old_fetched_at,
    old_changed_at,
    absent,
    is_new,
    is_changed
)
SELECT
    {% for column in key + place %}
    staged.{{ column }},
    {% endfor %}
    {% for metric in metrics %}
    {{ value(metric) }},
    fact.{{ metric }},
    {% endfor %}
    {{ extra() }},
    fact.extra,
    staged.raw_response_id,
    staged.fetched_at,
    coalesce(fact.loaded_at, staged.loaded_at),
    greatest(staged.changed_at, fact.changed_at),
    {% for column in place %}
    fact.{{ column }} AS old_{{ column }},
    {% endfor %}
    fact.raw_response_id AS old_raw_response_id,
    fact.fetched_at AS old_fetched_at,
    fact.changed_at AS old_changed_at,
    num_nulls(
        {% for metric in metrics %}
        staged.{{ metric }}{{ "," if not loop.last }}
        {% endfor %}
    ),
    fact.appid IS NULL,
    (
        {{ extra() }} IS DISTINCT FROM fact.extra
        {% for metric in metrics %}
        OR {{ value(metric) }} IS DISTINCT FROM fact.{{ metric }}
        {% endfor %}
    )
FROM staged_{{ fact }} AS staged
LEFT JOIN weixin.{{ fact }} AS fact
    ON
    {% for column in key %}
        {{ "AND " if not loop.first }}staged.{{ column }} = fact.{{ column }}
    {% endfor %}
WHERE
    fact.appid IS NULL
    {% for metric in metrics %}
    OR staged.{{ metric }} IS DISTINCT FROM fact.{{ metric }}
    {% endfor %}
    OR staged.extra IS DISTINCT FROM fact.extra
    OR (:are_rebuilt AND staged.raw_response_id != fact.raw_response_id)
    OR (:are_rebuilt AND staged.fetched_at != fact.fetched_at)
