-- Whether days of accounts are covered by answers: one row per account and day of which that
-- changes. After latest.sql, whose totals it reads.
{% from "rollup/macros.jinja" import asked, covered %}
INSERT INTO weixin.account_day_{{ dataset.name }} AS kept (
    appid, calendar_date, articles_lacking, is_covered
)
SELECT
    now.appid,
    now.calendar_date,
    now.articles_lacking,
    now.is_covered
FROM (
    {{ covered(dataset, asked()) | indent }}
) AS now
ON CONFLICT (appid, calendar_date) DO UPDATE
    SET
        articles_lacking = excluded.articles_lacking,
        is_covered = excluded.is_covered
    WHERE
    kept.articles_lacking != excluded.articles_lacking
    OR kept.is_covered != excluded.is_covered
