-- Staged rows into the fact: one row per (appid, msgid, stat_date), new and changed ones only.
-- A metric the answer does not hold keeps its value. A figure that had another value is recorded as
-- a restatement. Unchanged rows are neither written nor locked.
-- The account is a sub-select so that the planner does not look it up in its statistics: for an
-- account they don't contain yet it expects no row, and takes any index that begins with the
-- account.
-- compared: staged rows that differ from the fact's; changed: of those, the ones that change it.
WITH compared AS MATERIALIZED (
    SELECT
        staged_row.msgid,
        staged_row.stat_date,
        staged_row.raw_response_id,
        {% for metric in metrics %}
        coalesce(staged_row.{{ metric }}, fact.{{ metric }}) AS {{ metric }},
        fact.{{ metric }} AS old_{{ metric }},
        {% endfor %}
        coalesce(fact.extra || staged_row.extra, staged_row.extra, fact.extra) AS extra,
        fact.extra AS old_extra,
        fact.msgid IS NULL AS is_new,
        num_nulls(
            {% for metric in metrics %}
            staged_row.{{ metric }}{{ "," if not loop.last }}
            {% endfor %}
        ) AS absent
    FROM staged_row
    LEFT JOIN weixin.{{ fact }} AS fact
        ON
            fact.appid = (SELECT :appid)
            AND staged_row.msgid = fact.msgid
            AND staged_row.stat_date = fact.stat_date
    WHERE
        fact.msgid IS NULL
        {% for metric in metrics %}
        OR staged_row.{{ metric }} IS DISTINCT FROM fact.{{ metric }}
        {% endfor %}
        OR staged_row.extra IS DISTINCT FROM fact.extra
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
        :appid,
        changed.msgid,
        changed.stat_date,
        raw_response.publication_date,
        {% for metric in metrics %}
        changed.{{ metric }},
        {% endfor %}
        changed.extra,
        changed.raw_response_id,
        raw_response.last_seen_at,
        :changed_at
    FROM changed
    INNER JOIN weixin.raw_response
        ON changed.raw_response_id = raw_response.raw_response_id
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
    RETURNING fact.publication_date, xmax = 0 AS is_inserted
),

restated AS (
    INSERT INTO weixin.restatement AS restatement (
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
        :appid,
        changed.msgid,
        changed.stat_date,
        figure.metric,
        changed.raw_response_id,
        figure.old_value,
        figure.new_value,
        'wechat',
        :changed_at
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
    ON CONFLICT (dataset, appid, msgid, stat_date, metric, raw_response_id) DO UPDATE
        SET
            old_value = excluded.old_value,
            new_value = excluded.new_value,
            changed_at = excluded.changed_at
    RETURNING restatement.raw_response_id
),

missed AS (
    SELECT
        raw_response_id,
        sum(
            absent - num_nulls(
                {% for metric in metrics %}
                {{ metric }}{{ "," if not loop.last }}
                {% endfor %}
            )
        ) AS kept
    FROM compared
    WHERE NOT is_new
    GROUP BY raw_response_id
),

counted AS (
    SELECT
        publication_date,
        count(*) FILTER (WHERE is_inserted) AS inserted,
        count(*) FILTER (WHERE NOT is_inserted) AS updated,
        0 AS restated,
        0 AS kept
    FROM written
    GROUP BY publication_date
    UNION ALL
    SELECT
        raw_response.publication_date,
        0,
        0,
        count(*),
        0
    FROM restated
    INNER JOIN weixin.raw_response
        ON restated.raw_response_id = raw_response.raw_response_id
    GROUP BY raw_response.publication_date
    UNION ALL
    SELECT
        raw_response.publication_date,
        0,
        0,
        0,
        missed.kept
    FROM missed
    INNER JOIN weixin.raw_response
        ON missed.raw_response_id = raw_response.raw_response_id
)

SELECT
    publication_date,
    sum(inserted)::bigint AS inserted,
    sum(updated)::bigint AS updated,
    sum(restated)::bigint AS restated,
    sum(kept)::bigint AS kept
FROM counted
GROUP BY publication_date
