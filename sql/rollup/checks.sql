{# Of a dataset that has rollups. #}
{% if dataset.describes_articles %}
-- fail: rollup_is_up_to_date: the rollups of an account, each day another, are what the fact says
-- do: weixin-etl replay {{ dataset.name }} --accounts and its AppID --apply works it out again
{% from "rollup/macros.jinja" import covered, gained, gains, latest, reached %}
{% set totals = reached(dataset).split() %}
{% set columns = gains(dataset).split() %}
WITH place AS (
    SELECT
        report.appid,
        row_number() OVER (ORDER BY report.appid) - 1 AS number,
        count(*) OVER () AS of_all
    FROM weixin.run_report AS report
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.installation = :installation
        -- an account without rollups gets them by its next load, or by weixin-etl migrate
        AND EXISTS (
            SELECT FROM weixin.account_day_{{ dataset.name }} AS day
            WHERE day.appid = report.appid
        )
    GROUP BY report.appid
),

span AS MATERIALIZED (
    SELECT
        appid,
        date '-infinity' AS first_date,
        date 'infinity' AS last_date
    FROM place
    WHERE number = mod((now() AT TIME ZONE 'Asia/Shanghai')::date - date '2000-01-01', of_all)
),

totals AS MATERIALIZED (
    SELECT
        appid,
        msgid,
        {{ totals | join(",\n        ") }}
    FROM (
        {{ latest(dataset, "span", "timestamptz '-infinity'") | indent(8) }}
    ) AS article
),

kept_totals AS MATERIALIZED (
    SELECT
        kept.appid,
        kept.msgid,
        kept.{{ totals | join(",\n        kept.") }}
    FROM span
    INNER JOIN weixin.latest_{{ dataset.name }} AS kept
        ON span.appid = kept.appid
),

gains AS MATERIALIZED (
    {{ gained(dataset, "span") | indent }}
),

covers AS MATERIALIZED (
    {{ covered(dataset, "span") | indent }}
),

days AS MATERIALIZED (
    SELECT
        coalesce(gains.appid, covers.appid) AS appid,
        coalesce(gains.calendar_date, covers.calendar_date) AS calendar_date,
        coalesce(covers.articles_lacking, 0) AS articles_lacking,
        coalesce(covers.is_covered, FALSE) AS is_covered,
        gains.{{ columns | join(",\n        gains.") }}
    FROM gains
    FULL JOIN covers
        ON gains.appid = covers.appid AND gains.calendar_date = covers.calendar_date
),

kept_days AS MATERIALIZED (
    SELECT
        kept.appid,
        kept.calendar_date,
        kept.articles_lacking,
        kept.is_covered,
        kept.{{ columns | join(",\n        kept.") }}
    FROM span
    INNER JOIN weixin.account_day_{{ dataset.name }} AS kept
        ON span.appid = kept.appid
),

odd_totals AS (
    (
        SELECT * FROM totals
        EXCEPT
        SELECT * FROM kept_totals
    )
    UNION ALL
    (
        SELECT * FROM kept_totals
        EXCEPT
        SELECT * FROM totals
    )
),

odd_days AS (
    (
        SELECT * FROM days
        EXCEPT
        SELECT * FROM kept_days
    )
    UNION ALL
    (
        SELECT * FROM kept_days
        EXCEPT
        SELECT * FROM days
    )
)

SELECT
    appid,
    publication_date,
    NULL AS msgid,
    format('has other latest totals of %s', msgid) AS detail
FROM odd_totals
UNION
SELECT
    appid,
    NULL AS publication_date,
    NULL AS msgid,
    format('gained something else on %s', calendar_date) AS detail
FROM odd_days
{% endif %}
