{% from "rollup/macros.jinja" import covered, gained, gains, latest, reached %}
{% set totals = reached(dataset).split() %}
{% set columns = gains(dataset).split() %}
-- fail: rollup_is_up_to_date: what the rollups hold of an account, another one every day, is what the fact and coverage say
-- do: weixin-etl replay {{ dataset.name }} --accounts and its AppID --apply works it out again
WITH place AS (
    SELECT
        appid,
        row_number() OVER (ORDER BY appid) - 1 AS number,
        count(*) OVER () AS of_all
    FROM weixin.run_report
    WHERE run_id = :run_id AND dataset = :dataset AND installation = :installation
    GROUP BY appid
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
    {{ latest(dataset, "span", "timestamptz '-infinity'") | indent }}
),

kept_totals AS MATERIALIZED (
    SELECT
        appid,
        msgid,
        {{ totals | join(",\n        ") }}
    FROM weixin.latest_{{ dataset.name }}
    WHERE appid IN (SELECT appid FROM span)
),

gains AS MATERIALIZED (
    {{ gained(dataset, "span") | indent }}
),

covers AS MATERIALIZED (
    {{ covered(dataset, "span") | indent }}
),

days AS MATERIALIZED (
    SELECT
        appid,
        calendar_date,
        coalesce(covers.articles_lacking, 0) AS articles_lacking,
        coalesce(covers.is_covered, FALSE) AS is_covered,
        gains.{{ columns | join(",\n        gains.") }}
    FROM gains
    FULL JOIN covers USING (appid, calendar_date)
),

kept_days AS MATERIALIZED (
    SELECT
        appid,
        calendar_date,
        articles_lacking,
        is_covered,
        {{ columns | join(",\n        ") }}
    FROM weixin.account_day_{{ dataset.name }}
    WHERE appid IN (SELECT appid FROM span)
)

SELECT
    appid,
    publication_date,
    msgid,
    'has other latest totals' AS detail
FROM ((TABLE totals EXCEPT TABLE kept_totals) UNION (TABLE kept_totals EXCEPT TABLE totals)) AS odd
UNION
SELECT
    appid,
    NULL AS publication_date,
    NULL AS msgid,
    'gained something else on ' || to_char(calendar_date, 'YYYY-MM-DD') AS detail
FROM ((TABLE days EXCEPT TABLE kept_days) UNION (TABLE kept_days EXCEPT TABLE days)) AS odd
ORDER BY 1, 2, 3, 4
