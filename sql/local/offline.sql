-- The accounts of a run whose endpoint WeChat has taken offline: one row each.
{% from "weixin/macros.jinja" import is_retired %}
SELECT coalesce(account.name, report.appid) AS name
FROM weixin.run_report AS report
LEFT JOIN weixin.dim_account AS account ON report.appid = account.appid
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND {{ is_retired(":dataset", "report.appid") }}
GROUP BY report.appid, account.name
ORDER BY name
