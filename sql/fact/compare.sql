-- Staged rows that the fact lacks or holds with other values: one row each.
-- A metric the answer does not hold keeps its value; `absent` are those it does not hold. A row in
-- which values are only absent has not changed.
INSERT INTO different_{{ fact }} (
    appid,
    msgid,
    stat_date,
    publication_date,
    {% for metric in metrics %}
    {{ metric }},
    old_{{ metric }},
    {% endfor %}
    extra,
    raw_response_id,
    fetched_at,
    changed_at,
    absent,
    is_new,
    is_changed
)
SELECT
    staged.appid,
    staged.msgid,
    staged.stat_date,
    staged.publication_date,
    {% for metric in metrics %}
    coalesce(staged.{{ metric }}, fact.{{ metric }}),
    fact.{{ metric }},
    {% endfor %}
    coalesce(fact.extra || staged.extra, staged.extra, fact.extra),
    staged.raw_response_id,
    staged.fetched_at,
    staged.changed_at,
    num_nulls(
        {% for metric in metrics %}
        staged.{{ metric }}{{ "," if not loop.last }}
        {% endfor %}
    ),
    fact.msgid IS NULL,
    (
        coalesce(fact.extra || staged.extra, staged.extra, fact.extra) IS DISTINCT FROM fact.extra
        {% for metric in metrics %}
        OR coalesce(staged.{{ metric }}, fact.{{ metric }}) IS DISTINCT FROM fact.{{ metric }}
        {% endfor %}
    )
FROM staged_{{ fact }} AS staged
LEFT JOIN weixin.{{ fact }} AS fact
    ON
        staged.appid = fact.appid
        AND staged.msgid = fact.msgid
        AND staged.stat_date = fact.stat_date
WHERE
    fact.msgid IS NULL
    {% for metric in metrics %}
    OR staged.{{ metric }} IS DISTINCT FROM fact.{{ metric }}
    {% endfor %}
    OR staged.extra IS DISTINCT FROM fact.extra
