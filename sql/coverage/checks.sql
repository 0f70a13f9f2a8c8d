{# Of a dataset that describes articles; then of one of statistics days. #}
{% from "weixin/macros.jinja" import disagreements %}
{% if dataset.describes_articles %}
-- warn: list_is_steady: the articles that WeChat lists for a day are the same on two mornings
-- do: compare the day with WeChat's console; a run with its date and refetch asks for it again
SELECT
    coverage.appid,
    coverage.publication_date,
    NULL AS msgid,
    format('its list of articles changed on %s days: final as it is', coverage.list_changes)
        AS detail
FROM weixin.run_report AS report
INNER JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
    AND NOT report.is_witness
    AND coverage.is_final
    AND coverage.list_changes >= 8;
{% else %}
-- warn: datasets_agree: what two endpoints tell of a day agrees
-- do: nothing to do: each is stored as WeChat gave it, see analytics.disagreement
SELECT
    told.appid,
    told.stat_date AS publication_date,
    told.msgid,
    format(
        '%s %s of %s, by %s %s to %s',
        told.metric,
        told.found,
        told.stat_date,
        told.other_dataset,
        told.least_expected,
        told.most_expected
    ) AS detail
FROM weixin.run_report AS report
INNER JOIN (
    {{ disagreements(datasets) }}
) AS told
    ON
        report.dataset = told.dataset
        AND report.appid = told.appid
        AND report.publication_date = told.stat_date
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation;
{% endif %}
