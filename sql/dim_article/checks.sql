{# Of a dataset that describes articles. #}
{% if dataset.describes_articles %}
-- warn: article_has_one_publication_day: all answers list an article under the same publication day
-- do: nothing to do: its figures count once
SELECT
    article.appid,
    article.publication_date,
    article.msgid,
    format(
        'moved from %s to %s',
        array_to_string(article.other_publication_dates, ', '),
        article.publication_date
    ) AS detail
FROM weixin.run_report AS report
INNER JOIN weixin.dim_article AS article
    ON report.appid = article.appid AND report.publication_date = article.publication_date
INNER JOIN weixin.article_sighting AS sighting
    ON
        report.dataset = sighting.dataset
        AND article.appid = sighting.appid
        AND article.msgid = sighting.msgid
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
    AND article.other_publication_dates IS NOT NULL;
{% endif %}
