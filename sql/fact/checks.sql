-- fail: key_is_declared: the fact's primary key is ({{ key | join(", ") }})
-- do: restore the primary key of weixin.{{ fact }}
SELECT
    NULL AS appid,
    NULL AS publication_date,
    NULL AS msgid,
    'weixin.{{ fact }} has another primary key or none' AS detail
WHERE
    NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE
            conrelid = 'weixin.{{ fact }}'::regclass
            AND pg_get_constraintdef(oid) = 'PRIMARY KEY ({{ key | join(", ") }})'
    );

-- fail: key_is_unique: an account has one row per key
-- do: restore the primary key of weixin.{{ fact }}, then delete the copies
SELECT
    fact.appid,
    min(fact.{{ day }}) AS publication_date,
    {{ "fact." ~ item ~ "::text" if item else "NULL" }} AS msgid,
    format('%s rows of %s', count(*), fact.stat_date) AS detail
FROM weixin.{{ fact }} AS fact
INNER JOIN weixin.run_report AS report
    ON fact.appid = report.appid AND fact.{{ day }} = report.publication_date
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
GROUP BY fact.{{ key | join(", fact.") }}
HAVING count(*) > 1;

-- fail: raw_answer_exists: the answer a row came from is kept
-- do: restore weixin.raw_response from a backup
SELECT
    fact.appid,
    fact.{{ day }} AS publication_date,
    {{ "fact." ~ item ~ "::text" if item else "NULL" }} AS msgid,
    format('raw_response %s of %s is gone', fact.raw_response_id, fact.stat_date) AS detail
FROM weixin.{{ fact }} AS fact
INNER JOIN weixin.run_report AS report
    ON fact.appid = report.appid AND fact.{{ day }} = report.publication_date
LEFT JOIN weixin.raw_response
    ON fact.raw_response_id = raw_response.raw_response_id
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
    AND raw_response.raw_response_id IS NULL;

{% if dataset.describes_articles %}
-- warn: row_is_in_window: no row is of a day after those in which an article's totals grow
-- do: nothing to do: the row is loaded
SELECT
    fact.appid,
    fact.publication_date,
    fact.msgid,
    format('has a row of %s', fact.stat_date) AS detail
FROM weixin.{{ fact }} AS fact
INNER JOIN weixin.run_report AS report
    ON fact.appid = report.appid AND fact.publication_date = report.publication_date
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
    AND fact.stat_date >= fact.publication_date + {{ window }};

-- warn: total_does_not_fall: a running total is not below that of the day before
-- do: nothing to do: WeChat corrected a figure, see weixin.restatement
SELECT
    total.appid,
    total.publication_date,
    total.msgid,
    format(
        '%s fell from %s to %s on %s', figure.metric, figure.earlier, figure.later, total.stat_date
    ) AS detail
FROM (
    SELECT
        {% for metric in totals %}
        fact.{{ metric }},
        lag(fact.{{ metric }}) OVER article AS earlier_{{ metric }},
        {% endfor %}
        fact.appid,
        fact.publication_date,
        fact.msgid,
        fact.stat_date
    FROM weixin.{{ fact }} AS fact
    INNER JOIN weixin.run_report AS report
        ON fact.appid = report.appid AND fact.publication_date = report.publication_date
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.installation = :installation
    WINDOW article AS (PARTITION BY fact.appid, fact.msgid ORDER BY fact.stat_date)
) AS total
CROSS JOIN
    LATERAL (
        VALUES
        {% for metric in totals %}
        ('{{ metric }}', total.earlier_{{ metric }}, total.{{ metric }}){{ "," if not loop.last }}
        {% endfor %}
    ) AS figure (metric, earlier, later)
WHERE figure.later < figure.earlier;

-- warn: yesterday_is_there: no article that still counts lacks the row of the day before its answer
-- do: nothing to do: WeChat has no row for it, as of a deleted article
WITH covered AS (
    SELECT
        dataset,
        appid,
        publication_date,
        fetched_at,
        (fetched_at AT TIME ZONE 'Asia/Shanghai')::date - 1 AS yesterday
    FROM weixin.coverage
    WHERE ready_at = fetched_at
)

SELECT
    article.appid,
    article.publication_date,
    article.msgid,
    format('has no row of %s', covered.yesterday) AS detail
FROM weixin.run_report AS report
INNER JOIN covered
    ON
        report.dataset = covered.dataset
        AND report.appid = covered.appid
        AND report.publication_date = covered.publication_date
INNER JOIN weixin.dim_article AS article
    ON
        report.appid = article.appid
        AND report.publication_date = article.publication_date
INNER JOIN weixin.article_sighting AS sighting
    ON
        report.dataset = sighting.dataset
        AND article.appid = sighting.appid
        AND article.msgid = sighting.msgid
INNER JOIN weixin.raw_response AS listing
    ON
        sighting.raw_response_id = listing.raw_response_id
        AND covered.fetched_at <= listing.last_seen_at
LEFT JOIN weixin.{{ fact }} AS fact
    ON
        article.appid = fact.appid
        AND article.msgid = fact.msgid
        AND covered.yesterday = fact.stat_date
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
    AND covered.yesterday <= report.publication_date + {{ window }} - 1
    AND fact.msgid IS NULL;

-- warn: final_day_is_whole: every article of a day that became final has all rows of its window
-- do: nothing to do: WeChat has no more rows of it
SELECT
    article.appid,
    article.publication_date,
    article.msgid,
    format('has %s rows of {{ window }}', count(fact.stat_date)) AS detail
FROM weixin.run_report AS report
INNER JOIN weixin.coverage
    ON
        report.dataset = coverage.dataset
        AND report.appid = coverage.appid
        AND report.publication_date = coverage.publication_date
INNER JOIN weixin.dim_article AS article
    ON
        report.appid = article.appid
        AND report.publication_date = article.publication_date
INNER JOIN weixin.article_sighting AS sighting
    ON
        report.dataset = sighting.dataset
        AND article.appid = sighting.appid
        AND article.msgid = sighting.msgid
LEFT JOIN weixin.{{ fact }} AS fact
    ON
        article.appid = fact.appid
        AND article.msgid = fact.msgid
        AND fact.stat_date BETWEEN
        article.publication_date AND article.publication_date + {{ window }} - 1
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation AND coverage.is_final
GROUP BY article.appid, article.publication_date, article.msgid
HAVING count(fact.stat_date) < {{ window }};
{% endif %}
