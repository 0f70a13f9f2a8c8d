-- Staged rows that the fact lacks or holds with other values: one row each.
-- A metric the answer does not hold keeps its value; `absent` are those it does not hold.
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
    old_extra,
    raw_response_id,
    fetched_at,
    changed_at,
    absent,
    is_new
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
    fact.extra,
    staged.raw_response_id,
    staged.fetched_at,
    staged.changed_at,
    num_nulls(
        {% for metric in metrics %}
        staged.{{ metric }}{{ "," if not loop.last }}
        {% endfor %}
    ),
    fact.msgid IS NULL
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
