-- What accounts gained on days that rows changed since an instant tell of: one row per account and
-- day of which that changes. A changed row tells of its day and of all later days of its article;
-- of earlier ones only if it stands after a gap. After latest.sql, which it reads.
{% from "rollup/macros.jinja" import asked, gained, gains, taken_over %}
{% set columns = gains(dataset).split() %}
WITH article AS (
    SELECT
        fact.appid,
        fact.msgid,
        min(fact.publication_date) AS publication_date,
        min(fact.stat_date) AS first_date,
        min(fact.stat_date) FILTER (WHERE fact.changed_at >= :since) AS first_changed_date,
        max(fact.stat_date) AS last_date
    FROM {{ asked() }}
    INNER JOIN weixin.{{ fact }} AS fact
        ON
            span.appid = fact.appid
            AND fact.publication_date BETWEEN span.first_date AND span.last_date
    GROUP BY fact.appid, fact.msgid
    HAVING max(fact.changed_at) >= :since
),

span AS MATERIALIZED (
    SELECT
        article.appid,
        min(
            CASE
                WHEN
                    article.first_changed_date
                    BETWEEN article.publication_date AND latest.complete_through_date
                    THEN article.first_changed_date
                ELSE least(article.publication_date, article.first_date)
            END
        ) AS first_date,
        max(article.last_date) + 1 AS last_date
    FROM article
    INNER JOIN weixin.latest_{{ dataset.name }} AS latest
        ON article.appid = latest.appid AND article.msgid = latest.msgid
    GROUP BY article.appid
)

INSERT INTO weixin.account_day_{{ dataset.name }} AS kept (
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
ON CONFLICT (appid, calendar_date) DO UPDATE
    {{ taken_over(columns) | indent }}
