-- One row per article of an account, with its latest figures of both datasets side by side. The
-- datasets count differently: never add their figures
{% from "analytics/macros.jinja" import last_known %}
CREATE VIEW analytics.article (
    -- The account: msgids repeat between accounts
    appid,
    -- What people call the account
    account_name,
    -- WeChat's id of the article, unique within its account
    msgid,
    -- The message the article was sent in
    message_id,
    -- Its place in the message, from 1
    position,
    -- Title
    title,
    -- Day of publication (Beijing)
    publication_date,
    -- Weekday of publication: 1 Monday … 7 Sunday
    publication_weekday,
    -- Address, where WeChat gave one
    url,
    -- 0: followers were notified, 1: they were not; NULL when WeChat has not said
    publish_type,
    {% for dataset in datasets %}
    {% for metric in dataset.figures %}
    -- Latest known value of {{ metric.name }} ({{ dataset.name }}): {{ metric.meaning }}
    {{ dataset.prefix }}{{ metric.name }},
    {% endfor %}
    -- Last stat_date up to which every day since publication has a row ({{ dataset.name }}); NULL
    -- when the publication day has none
    {{ dataset.prefix }}complete_through_date,
    -- Whether the totals have stopped growing ({{ dataset.name }}): the article has all
    -- {{ dataset.window }} rows, or its publication day is final and is not asked for again. False
    -- when there are no totals
    {{ dataset.prefix }}is_final,
    {% endfor %}
    -- Fetch time of the earliest answer that held it
    first_seen_at,
    -- Fetch time of the newest answer that held it
    last_seen_at
) AS
WITH
{% for dataset in datasets %}
{{ dataset.name }} AS (
    SELECT
        appid,
        msgid,
        {% for metric in dataset.figures %}
        {{ last_known(metric.name) }} AS {{ metric.name }},
        {% endfor %}
        max(stat_date) FILTER (
            WHERE day_number > 0 AND stat_date = publication_date + day_number - 1
        ) AS complete_through_date,
        count(*) FILTER (
            WHERE stat_date BETWEEN publication_date AND publication_date + {{ dataset.window - 1 }}
        ) = {{ dataset.window }} AS has_all_rows
    FROM (
        SELECT
            *,
            (
                count(*) FILTER (WHERE stat_date >= publication_date) OVER (
                    PARTITION BY appid, msgid, publication_date ORDER BY stat_date
                )
            )::integer AS day_number
        FROM weixin.{{ dataset.fact }}
    ) AS numbered
    GROUP BY appid, msgid
){{ "," if not loop.last }}

{% endfor %}
SELECT
    article.appid,
    account.name AS account_name,
    article.msgid,
    article.message_id,
    article.position,
    article.title,
    article.publication_date,
    extract(ISODOW FROM article.publication_date)::integer AS publication_weekday,
    coalesce(article.url, article.content_url) AS url,
    article.publish_type,
    {% for dataset in datasets %}
    {% for metric in dataset.figures %}
    {{ dataset.name }}.{{ metric.name }} AS {{ dataset.prefix }}{{ metric.name }},
    {% endfor %}
    {{ dataset.name }}.complete_through_date AS {{ dataset.prefix }}complete_through_date,
    {{ dataset.name }}.appid IS NOT NULL
    AND ({{ dataset.name }}.has_all_rows OR coalesce({{ dataset.name }}_pair.is_final, FALSE))
        AS {{ dataset.prefix }}is_final,
    {% endfor %}
    article.first_seen_at,
    greatest(
        article.last_seen_at,
        (
            SELECT max(listing.last_seen_at)
            FROM weixin.article_sighting AS sighting
            INNER JOIN weixin.raw_response AS listing
                ON sighting.raw_response_id = listing.raw_response_id
            WHERE
                sighting.dataset IN (
                    {% for dataset in datasets %}
                    '{{ dataset.name }}'{{ "," if not loop.last }}
                    {% endfor %}
                )
                AND sighting.appid = article.appid
                AND sighting.msgid = article.msgid
        )
    ) AS last_seen_at
FROM weixin.dim_article AS article
LEFT JOIN weixin.dim_account AS account
    ON article.appid = account.appid
{% for dataset in datasets %}
LEFT JOIN {{ dataset.name }}
    ON article.appid = {{ dataset.name }}.appid AND article.msgid = {{ dataset.name }}.msgid
LEFT JOIN weixin.coverage AS {{ dataset.name }}_pair
    ON
        article.appid = {{ dataset.name }}_pair.appid
        AND article.publication_date = {{ dataset.name }}_pair.publication_date
        AND {{ dataset.name }}_pair.dataset = '{{ dataset.name }}'
{% endfor %}
