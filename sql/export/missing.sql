-- Return the days of a period whose figures are not in, as they were when WeChat was asked last:
-- one row per dataset, account and day.
{% from "analytics/days.jinja" import days %}
SELECT
    asked.appid,
    asked.account_name,
    asked.dataset,
    asked.day,
    asked.state,
    asked.reason
FROM (
    {{ days("cast(:as_of AS timestamptz)", every_dataset, datasets) | indent }}
) AS asked
WHERE
    asked.day BETWEEN :begin AND :end
    AND asked.appid = any(:appids)
    AND asked.dataset = any(:datasets)
    AND asked.state IN ('late', 'behind', 'lost', 'given_up')
ORDER BY asked.appid, asked.dataset, asked.day
