-- Return what may be the cause that tables lack days of a period, as it was when WeChat was asked
-- last: one row per account, dataset, state and reason, with the days asked for. Days before the
-- period count as long as their figures reach into it. An unconfirmed answer that lists what an
-- answer of an earlier day listed is no cause: its figures count.
{% from "analytics/days.jinja" import days %}
{% from "weixin/macros.jinja" import is_repeated %}
SELECT
    asked.account_name,
    asked.dataset,
    asked.state,
    asked.reason,
    array_agg(asked.day ORDER BY asked.day) AS days
FROM (
    {{ days("cast(:as_of AS timestamptz)", every_dataset, datasets) | indent }}
) AS asked
INNER JOIN (
    VALUES
    {% for dataset in every_dataset %}
    ('{{ dataset.name }}', {{ dataset.row_days }}){{ "," if not loop.last }}
    {% endfor %}
) AS reach (dataset, row_days)
    ON
        asked.dataset = reach.dataset
        AND asked.day BETWEEN :begin - reach.row_days + 1 AND :end
WHERE
    asked.appid = any(:appids)
    AND asked.dataset = any(:datasets)
    AND asked.state NOT IN ('final', 'in', 'silent')
    AND NOT (asked.state = 'unconfirmed' AND {{ is_repeated("asked") }})
GROUP BY asked.appid, asked.account_name, asked.dataset, asked.state, asked.reason
ORDER BY asked.appid, asked.dataset, min(asked.day)
