-- Staged rows that the fact lacks or holds with other values: one row per pair, with how many of
-- each. The old rows go to the history. A metric that an answer does not hold keeps its value; but
-- a fold of all kept answers replaces the row, and may only name another answer as the one that
-- changed it last. So does an answer of a later day: the row stands against answers of earlier days
-- then. Versions of a row never share an instant, even if the clock stands still or goes back.
-- `falls` lists the running totals that are lower than what was stored: msgid, stat_date, metric,
-- before, now.
{% macro differs(one, name) -%}
{{ one }}.{{ name }} IS DISTINCT FROM fact.{{ name }}
{%- endmacro %}
WITH different AS MATERIALIZED (
    SELECT
        {% for column in key %}
        staged.{{ column }},
        {% endfor %}
        {% for column in place %}
        greatest(staged.{{ column }}, fact.{{ column }}) AS {{ column }},
        {% endfor %}
        staged.{{ day }} AS day,
        how.is_whole,
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
                ) AS is_whole
        ) AS how
    CROSS JOIN
        LATERAL (
            SELECT
                {% for metric in metrics %}
                CASE
                    WHEN how.is_whole THEN staged.{{ metric }}
                    ELSE coalesce(staged.{{ metric }}, fact.{{ metric }})
                END AS {{ metric }},
                {% endfor %}
                CASE
                    WHEN how.is_whole THEN staged.extra
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
                OR (how.is_whole AND staged.raw_response_id != fact.raw_response_id)
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
    FROM different
    WHERE is_new
    RETURNING appid, {{ day }} AS day
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
    FROM different
    WHERE has_other_values AND NOT is_new
),

updated AS (
    UPDATE weixin.{{ fact }} AS fact
    SET
        {% for column in place %}
        {{ column }} = different.{{ column }},
        {% endfor %}
        {% for metric in metrics %}
        {{ metric }} = different.{{ metric }},
        {% endfor %}
        extra = different.extra,
        raw_response_id = different.raw_response_id,
        fetched_at = different.fetched_at,
        changed_at = CASE
            WHEN different.has_other_values THEN different.replaced_at ELSE fact.changed_at
        END
    FROM different
    WHERE
        NOT different.is_new
        AND (different.has_other_values OR different.is_whole)
        AND fact.ctid = different.old_ctid
    RETURNING fact.appid, different.day, different.has_other_values
),

fallen AS MATERIALIZED (
    SELECT
        different.appid,
        different.day,
        jsonb_agg(
            jsonb_build_array(
                {{ "different." ~ item if item else "''" }},
                different.stat_date,
                total.metric,
                total.before,
                total.now
            )
        ) AS falls
    FROM different
    CROSS JOIN
        LATERAL (
            VALUES
            {% for metric in dataset.monotonic %}
            (
                '{{ metric }}',
                (different.old_row ->> '{{ metric }}')::bigint,
                different.{{ metric }}
            ),
            {% endfor %}
            -- a dataset without running totals has no other
            (NULL, NULL::bigint, NULL::bigint)
        ) AS total (metric, before, now)
    WHERE different.has_fallen AND total.now < total.before
    GROUP BY different.appid, different.day
)

SELECT
    appid,
    day,
    count(*) FILTER (WHERE is_new) AS inserted,
    count(*) FILTER (WHERE NOT is_new) AS updated,
    (
        SELECT fallen.falls
        FROM fallen
        WHERE fallen.appid = written.appid AND fallen.day = written.day
    ) AS falls
FROM (
    SELECT
        appid,
        day,
        TRUE AS is_new
    FROM inserted
    UNION ALL
    SELECT
        appid,
        day,
        FALSE
    FROM updated
    WHERE has_other_values
) AS written
GROUP BY appid, day
