-- Merge staged rows into the fact, and return the number of inserted and updated rows: one row per
-- slice. Rows with equal values are not rewritten, and a replaced row is copied to the history. A
-- metric that the answer lacks keeps its value. A replay of all kept answers replaces the whole row
-- instead, and may change only the id of its answer. An answer of a later publication day also
-- replaces the whole row, and answers of earlier days then no longer change the row. Two versions
-- of a row never have the same changed_at, even if the clock stands still or goes back. The column
-- `falls` lists the running totals that are lower than the stored ones, as arrays [msgid,
-- stat_date, metric, before, now].
{% macro differs(source, name) -%}
{{ source }}.{{ name }} IS DISTINCT FROM fact.{{ name }}
{%- endmacro %}
WITH changed AS MATERIALIZED (
    SELECT
        {% for column in key %}
        staged.{{ column }},
        {% endfor %}
        {% for column in place %}
        greatest(staged.{{ column }}, fact.{{ column }}) AS {{ column }},
        {% endfor %}
        staged.{{ day }} AS day,
        merge_mode.replaces_row,
        {% for name in metrics + ["extra"] %}
        merged.{{ name }},
        {% endfor %}
        staged.raw_response_id,
        staged.fetched_at,
        fact.appid IS NULL AS is_new,
        fact.changed_at,
        greatest(:changed_at, fact.changed_at + interval '1 microsecond') AS replaced_at,
        to_jsonb(fact) AS old_row,
        fact.ctid AS old_ctid,
        (
            {{ differs("merged", "extra") }}
            {% for metric in metrics %}
            OR {{ differs("merged", metric) }}
            {% endfor %}
        ) AS has_other_values,
        (
            FALSE
            {% for metric in dataset.monotonic %}
            OR merged.{{ metric }} < fact.{{ metric }}
            {% endfor %}
        ) AS has_fallen
    FROM staged_{{ fact }} AS staged
    LEFT JOIN weixin.{{ fact }} AS fact
        ON
        {% for column in key %}
            {{ "AND " if not loop.first }}staged.{{ column }} = fact.{{ column }}
        {% endfor %}
    CROSS JOIN
        LATERAL (
            SELECT
                (
                    :is_history
                    {% for column in place %}
                    OR staged.{{ column }} > fact.{{ column }}
                    {% endfor %}
                ) AS replaces_row
        ) AS merge_mode
    CROSS JOIN
        LATERAL (
            SELECT
                {% for metric in metrics %}
                CASE
                    WHEN merge_mode.replaces_row THEN staged.{{ metric }}
                    ELSE coalesce(staged.{{ metric }}, fact.{{ metric }})
                END AS {{ metric }},
                {% endfor %}
                CASE
                    WHEN merge_mode.replaces_row THEN staged.extra
                    ELSE coalesce(fact.extra || staged.extra, staged.extra, fact.extra)
                END AS extra
        ) AS merged
    WHERE
        fact.appid IS NULL
        OR (
            (
                {{ differs("staged", "extra") }}
                {% for metric in metrics %}
                OR {{ differs("staged", metric) }}
                {% endfor %}
                OR (merge_mode.replaces_row AND staged.raw_response_id != fact.raw_response_id)
            )
            {% for column in place %}
            AND (
                staged.{{ column }} >= fact.{{ column }}
                OR staged.{{ column }} >= (
                    SELECT answer.day
                    FROM weixin.raw_response AS answer
                    WHERE answer.raw_response_id = fact.raw_response_id
                )
            )
            {% endfor %}
        )
),

inserted AS (
    INSERT INTO weixin.{{ fact }} (
        {{ columns | join(",\n        ") }},
        changed_at
    )
    SELECT
        {{ columns | join(",\n        ") }},
        :changed_at
    FROM changed
    WHERE is_new
    RETURNING appid, {{ day }} AS day, stat_date
),

history AS (
    INSERT INTO weixin.fact_history (
        dataset, appid, item, stat_date, changed_at, replaced_at, cause, row
    )
    SELECT
        :dataset,
        appid,
        {{ item ~ "::text" if item else "''" }},
        stat_date,
        changed_at,
        replaced_at,
        CASE WHEN :is_history THEN 'replay' ELSE 'wechat' END,
        old_row
    FROM changed
    WHERE has_other_values AND NOT is_new
),

updated AS (
    UPDATE weixin.{{ fact }} AS fact
    SET
        {% for column in place %}
        {{ column }} = changed.{{ column }},
        {% endfor %}
        {% for metric in metrics %}
        {{ metric }} = changed.{{ metric }},
        {% endfor %}
        extra = changed.extra,
        raw_response_id = changed.raw_response_id,
        fetched_at = changed.fetched_at,
        changed_at = CASE
            WHEN changed.has_other_values THEN changed.replaced_at ELSE fact.changed_at
        END
    FROM changed
    WHERE
        NOT changed.is_new
        AND (changed.has_other_values OR changed.replaces_row)
        AND fact.ctid = changed.old_ctid
    RETURNING fact.appid, changed.day, fact.stat_date, changed.has_other_values
),

fallen_totals AS MATERIALIZED (
    SELECT
        changed.appid,
        changed.day,
        jsonb_agg(
            jsonb_build_array(
                {{ "changed." ~ item if item else "''" }},
                changed.stat_date,
                total.metric,
                total.before,
                total.now
            )
        ) AS falls
    FROM changed
    CROSS JOIN
        LATERAL (
            VALUES
            {% for metric in dataset.monotonic %}
            (
                '{{ metric }}',
                (changed.old_row ->> '{{ metric }}')::bigint,
                changed.{{ metric }}
            ),
            {% endfor %}
            -- A dataset without running totals still needs one row here.
            (NULL, NULL::bigint, NULL::bigint)
        ) AS total (metric, before, now)
    WHERE changed.has_fallen AND total.now < total.before
    GROUP BY changed.appid, changed.day
)

SELECT
    appid,
    day,
    count(*) FILTER (WHERE is_new) AS inserted,
    count(*) FILTER (WHERE NOT is_new) AS updated,
    min(stat_date) AS first_date,
    (
        SELECT fallen_totals.falls
        FROM fallen_totals
        WHERE fallen_totals.appid = written.appid AND fallen_totals.day = written.day
    ) AS falls
FROM (
    SELECT
        appid,
        day,
        stat_date,
        TRUE AS is_new
    FROM inserted
    UNION ALL
    SELECT
        appid,
        day,
        stat_date,
        FALSE
    FROM updated
    WHERE has_other_values
) AS written
GROUP BY appid, day
