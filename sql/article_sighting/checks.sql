{# Of a dataset that describes articles. #}
{% if dataset.describes_articles %}
-- warn: article_is_still_there: the newest answer holds every article an earlier one held
-- do: nothing to do: what was loaded stays
SELECT
    article.appid,
    article.publication_date,
    article.msgid,
    format(
        'was last seen on %s Beijing time',
        to_char(listing.last_seen_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI')
    ) AS detail
FROM weixin.run_report AS report
INNER JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
INNER JOIN weixin.dim_article AS article
    ON report.appid = article.appid AND report.publication_date = article.publication_date
INNER JOIN weixin.article_sighting AS sighting
    ON
        report.dataset = sighting.dataset
        AND article.appid = sighting.appid
        AND article.msgid = sighting.msgid
INNER JOIN weixin.raw_response AS listing
    ON sighting.raw_response_id = listing.raw_response_id
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
    AND report.state IN ('loaded', 'empty')
    -- what a silent endpoint or a single answer leaves out may be there
    AND NOT report.is_witness
    AND NOT coverage.is_provisional
    AND listing.publication_date = article.publication_date
    AND listing.last_seen_at < coverage.fetched_at;
{% endif %}
