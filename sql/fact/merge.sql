-- Staged rows into the fact: one row per (appid, msgid, stat_date), new and changed ones only.
-- A metric the answer does not hold keeps its value. A figure that had another value is recorded as
-- a restatement. Unchanged rows are neither written nor locked.
-- compared: staged rows that differ from the fact's; changed: of those, the ones that change it.
WITH compared AS MATERIALIZED (
    SELECT
        staged.appid,
        staged.msgid,
        staged.stat_date,
        staged.publication_date,
        staged.raw_response_id,
        staged.fetched_at,
        staged.changed_at,
        {% for metric in metrics %}
        coalesce(staged.{{ metric }}, fact.{{ metric }}) AS {{ metric }},
        fact.{{ metric }} AS old_{{ metric }},
        {% endfor %}
        coalesce(fact.extra || staged.extra, staged.extra, fact.extra) AS extra,
        fact.extra AS old_extra,
        fact.msgid IS NULL AS is_new,
        num_nulls(
            {% for metric in metrics %}
            staged.{{ metric }}{{ "," if not loop.last }}
            {% endfor %}
        ) AS absent
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
),

changed AS (
    SELECT * FROM compared
    WHERE
        is_new
        {% for metric in metrics %}
        OR {{ metric }} IS DISTINCT FROM old_{{ metric }}
        {% endfor %}
        OR extra IS DISTINCT FROM old_extra
),

written AS (
    INSERT INTO weixin.{{ fact }} AS fact (
        appid,
        msgid,
        stat_date,
        publication_date,
        {% for metric in metrics %}
        {{ metric }},
        {% endfor %}
        extra,
        raw_response_id,
        fetched_at,
        changed_at
    )
    SELECT
        appid,
        msgid,
        stat_date,
        publication_date,
        {% for metric in metrics %}
        {{ metric }},
        {% endfor %}
        extra,
        raw_response_id,
        fetched_at,
        changed_at
    FROM changed
    ON CONFLICT (appid, msgid, stat_date) DO UPDATE
        SET
            publication_date = excluded.publication_date,
            {% for metric in metrics %}
            {{ metric }} = coalesce(excluded.{{ metric }}, fact.{{ metric }}),
            {% endfor %}
            extra = coalesce(fact.extra || excluded.extra, excluded.extra, fact.extra),
            raw_response_id = excluded.raw_response_id,
            fetched_at = excluded.fetched_at,
            changed_at = excluded.changed_at
    RETURNING fact.appid, fact.publication_date, xmax = 0 AS is_inserted
),

restated AS (
    SELECT
        changed.appid,
        changed.msgid,
        changed.stat_date,
        changed.publication_date,
        changed.raw_response_id,
        changed.changed_at,
        figure.metric,
        figure.old_value,
        figure.new_value
    FROM changed
    CROSS JOIN
        LATERAL (
            VALUES
            {% for metric in figures %}
            (
                '{{ metric }}', changed.old_{{ metric }}, changed.{{ metric }}
            ){{ "," if not loop.last }}
            {% endfor %}
        ) AS figure (metric, old_value, new_value)
    WHERE NOT changed.is_new AND figure.old_value != figure.new_value
),

recorded AS (
    INSERT INTO weixin.restatement (
        dataset,
        appid,
        msgid,
        stat_date,
        metric,
        raw_response_id,
        old_value,
        new_value,
        cause,
        changed_at
    )
    SELECT
        :dataset,
        appid,
        msgid,
        stat_date,
        metric,
        raw_response_id,
        old_value,
        new_value,
        'wechat',
        changed_at
    FROM restated
    ON CONFLICT (dataset, appid, msgid, stat_date, metric, raw_response_id) DO UPDATE
        SET
            old_value = excluded.old_value,
            new_value = excluded.new_value,
            changed_at = excluded.changed_at
),

counted AS (
    SELECT
        appid,
        publication_date,
        count(*) FILTER (WHERE is_inserted) AS inserted,
        count(*) FILTER (WHERE NOT is_inserted) AS updated,
        0 AS restated,
        0 AS kept
    FROM written
    GROUP BY appid, publication_date
    UNION ALL
    SELECT
        appid,
        publication_date,
        0,
        0,
        count(*),
        0
    FROM restated
    GROUP BY appid, publication_date
    UNION ALL
    SELECT
        appid,
        publication_date,
        0,
        0,
        0,
        sum(
            absent - num_nulls(
                {% for metric in metrics %}
                {{ metric }}{{ "," if not loop.last }}
                {% endfor %}
            )
        )
    FROM compared
    WHERE NOT is_new
    GROUP BY appid, publication_date
)

SELECT
    appid,
    publication_date,
    sum(inserted)::bigint AS inserted,
    sum(updated)::bigint AS updated,
    sum(restated)::bigint AS restated,
    sum(kept)::bigint AS kept
FROM counted
GROUP BY appid, publication_date
