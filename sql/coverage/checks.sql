{# Of a dataset that describes articles. #}
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
{% endif %}
