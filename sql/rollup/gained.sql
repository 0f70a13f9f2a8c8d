-- What accounts gained on days that rows changed since an instant tell of: one row per account and
-- day of which that changes. A changed row tells of its day and of all later days of its article;
-- of earlier ones only if it stands after a gap.
{% from "rollup/macros.jinja" import asked, gained, gains %}
{% set columns = gains(dataset).split() %}
WITH span AS MATERIALIZED (
    SELECT
        span.appid,
        min(
            CASE
                WHEN fact.changed_at < :since THEN NULL
                WHEN
                    fact.stat_date = fact.publication_date
                    OR EXISTS (
                        SELECT FROM weixin.{{ fact }} AS before
                        WHERE
                            before.appid = fact.appid
                            AND before.msgid = fact.msgid
                            AND before.stat_date = fact.stat_date - 1
                    )
                    THEN fact.stat_date
                ELSE (
                    SELECT least(fact.publication_date, min(first.stat_date))
                    FROM weixin.{{ fact }} AS first
                    WHERE first.appid = fact.appid AND first.msgid = fact.msgid
                )
            END
        ) AS first_date,
        max(fact.stat_date) + 1 AS last_date
    FROM {{ asked() }}
    INNER JOIN weixin.{{ fact }} AS fact
        ON
            span.appid = fact.appid
            AND fact.publication_date BETWEEN span.first_date AND span.last_date
    GROUP BY span.appid
    HAVING bool_or(fact.changed_at >= :since)
)

INSERT INTO weixin.account_day_{{ dataset.name }} (
    appid,
    calendar_date,
    {{ columns | join(",\n    ") }}
)
SELECT
    now.appid,
    now.calendar_date,
    now.{{ columns | join(",\n    now.") }}
FROM (
    {{ gained(dataset, "span") | indent }}
) AS now
LEFT JOIN weixin.account_day_{{ dataset.name }} AS kept
    ON now.appid = kept.appid AND now.calendar_date = kept.calendar_date
WHERE
    kept.appid IS NULL
    OR (
        now.{{ columns | join(",\n        now.") }}
    ) IS DISTINCT FROM (
        kept.{{ columns | join(",\n        kept.") }}
    )
ON CONFLICT (appid, calendar_date) DO UPDATE
    SET
        (
            {{ columns | join(",\n            ") }}
        ) = (
            excluded.{{ columns | join(",\n            excluded.") }}
        )
