-- One row per account and calendar day of {{ dataset.name }}, from the first publication day asked
-- for to yesterday (Beijing), or for an account no longer collected to the last day asked for:
-- what all its articles gained that day. An increment that spans a gap counts on its last day.
-- NULL is unknown; 0 is known: no article had a row to give
CREATE VIEW analytics.account_daily{{ dataset.suffix }} (
    -- The account
    appid,
    -- The day (Beijing)
    calendar_date,
    -- Articles published on the day, as far as either endpoint told
    articles_published,
    -- Articles within their {{ dataset.window }} days that must have a row of the day, as far as
    -- known. An article without it is not expected when the newest ready answer of its publication
    -- day no longer lists it, or when that publication day is final
    articles_expected,
    -- Those of them that have it
    articles_reported,
    -- Most days since an article's row before. Above 1, an article had no row the day before, and
    -- part of what counts here came then; a metric that a row left out is not covered by this
    days_spanned,
    -- Whether a total of an article fell, so that increments and rates hold a negative part
    is_restated,
    {% for metric in dataset.totals %}
    -- {{ metric.name }} ({{ metric.meaning }}) that came on the day, over all articles within
    -- their window of {{ dataset.window }} days; NULL when unknown
    {{ metric.name }}_increment,
    {% endfor %}
    {% for rate in dataset.daily_rates %}
    -- {{ rate.numerator }} / {{ rate.denominator }} of the day: {{ rate.meaning }}. Sums over
    -- sums, of the articles that have both; NULL when the denominator is 0
    {{ rate.name }},
    {% endfor %}
    -- Whether all is known that came on the day. A ready answer of a later day is there for each
    -- of the {{ dataset.window }} publication days whose window holds it, and none of them is
    -- empty by an answer too early to be sure; every article expected has reported; and no
    -- increment spans a gap that covers the day or ends on it. False also near the start of what
    -- was loaded
    is_complete
) AS
WITH known AS (
    SELECT
        asked.appid,
        asked.first_date,
        greatest(
            asked.last_date,
            CASE
                WHEN account.is_active IS NOT FALSE
                    THEN (now() AT TIME ZONE 'Asia/Shanghai')::date - 1
            END
        ) AS last_date
    FROM (
        SELECT
            appid,
            min(first_date) AS first_date,
            max(last_date) AS last_date
        FROM (
            SELECT
                appid,
                publication_date AS first_date,
                publication_date AS last_date
            FROM weixin.coverage
            WHERE dataset = '{{ dataset.name }}'
            UNION ALL
            SELECT
                appid,
                greatest(first_daily_date - {{ dataset.window }}, date '{{ dataset.first_day }}'),
                NULL
            FROM weixin.first_daily_run
            WHERE dataset = '{{ dataset.name }}'
        ) AS day
        GROUP BY appid
    ) AS asked
    LEFT JOIN weixin.dim_account AS account
        ON asked.appid = account.appid
),

-- step 0: an increment on its own day; above: a day it covers as well, whose row is missing; NULL:
-- a day of the calendar
day AS (
    SELECT
        {% for metric in dataset.totals %}
        sum({{ metric.name }}) FILTER (WHERE step = 0) AS {{ metric.name }}_increment,
        {% endfor %}
        {% for rate in dataset.daily_rates %}
        sum({{ rate.numerator }}) FILTER (WHERE step = 0 AND {{ rate.denominator }} IS NOT NULL)
        / nullif(
            sum({{ rate.denominator }}) FILTER (
                WHERE step = 0 AND {{ rate.numerator }} IS NOT NULL
            ), 0
        ) AS {{ rate.name }},
        {% endfor %}
        appid,
        calendar_date,
        count(*) FILTER (WHERE step = 0) AS row_count,
        count(*) FILTER (WHERE step = 0 AND is_in_window) AS articles_reported,
        max(days_spanned) FILTER (WHERE step = 0) AS days_spanned,
        coalesce(bool_or(is_restated) FILTER (WHERE step = 0), FALSE) AS is_restated,
        coalesce(bool_or(days_spanned > 1), FALSE) AS has_gap
    FROM (
        SELECT
            {% for metric in dataset.totals %}
            {{ metric.name }},
            {% endfor %}
            appid,
            stat_date - step AS calendar_date,
            step,
            stat_date BETWEEN publication_date AND publication_date + {{ dataset.window - 1 }}
                AS is_in_window,
            days_spanned,
            is_restated
        FROM analytics.article_daily{{ dataset.suffix }}
        CROSS JOIN LATERAL generate_series(0, greatest(days_spanned, 1) - 1) AS step
        UNION ALL
        SELECT
            {% for metric in dataset.totals %}
            NULL,
            {% endfor %}
            known.appid,
            known.first_date + step AS calendar_date,
            NULL,
            NULL,
            NULL,
            NULL
        FROM known
        CROSS JOIN LATERAL generate_series(0, known.last_date - known.first_date) AS step
    ) AS figure
    GROUP BY appid, calendar_date
)

SELECT
    day.appid,
    day.calendar_date,
    (
        SELECT count(*)
        FROM weixin.dim_article AS article
        WHERE article.appid = day.appid AND article.publication_date = day.calendar_date
    ) AS articles_published,
    day.articles_reported + pairs.articles_lacking AS articles_expected,
    day.articles_reported,
    day.days_spanned,
    day.is_restated,
    {% for metric in dataset.totals %}
    CASE
        WHEN day.row_count = 0 AND pairs.is_complete THEN 0
        ELSE day.{{ metric.name }}_increment
    END AS {{ metric.name }}_increment,
    {% endfor %}
    {% for rate in dataset.daily_rates %}
    day.{{ rate.name }},
    {% endfor %}
    pairs.is_complete
FROM day
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(sum(pair.articles_lacking), 0)::bigint AS articles_lacking,
            NOT day.has_gap
            AND coalesce(sum(pair.articles_lacking), 0) = 0
            AND {{ dataset.window }} = count(*) FILTER (
                WHERE
                day.calendar_date < (pair.ready_at AT TIME ZONE 'Asia/Shanghai')::date
                AND NOT pair.is_provisional
            ) AS is_complete
        FROM (
            SELECT
                coverage.publication_date,
                coverage.ready_at,
                coverage.is_provisional,
                CASE
                    WHEN coverage.data_state = 'loaded' AND NOT coverage.is_final
                        THEN (
                            SELECT count(*)
                            FROM weixin.dim_article AS article
                            INNER JOIN weixin.article_sighting AS sighting
                                ON
                                    article.appid = sighting.appid
                                    AND article.msgid = sighting.msgid
                            INNER JOIN weixin.raw_response AS listing
                                ON sighting.raw_response_id = listing.raw_response_id
                            WHERE
                                article.appid = coverage.appid
                                AND article.publication_date = coverage.publication_date
                                AND sighting.dataset = '{{ dataset.name }}'
                                AND listing.last_seen_at >= coverage.ready_at
                                AND NOT EXISTS (
                                    SELECT FROM weixin.{{ dataset.fact }} AS fact
                                    WHERE
                                        fact.appid = article.appid
                                        AND fact.msgid = article.msgid
                                        AND fact.stat_date = day.calendar_date
                                )
                        )
                END AS articles_lacking
            FROM weixin.coverage
            WHERE
                coverage.dataset = '{{ dataset.name }}'
                AND coverage.appid = day.appid
        ) AS pair
        WHERE
            pair.publication_date
            BETWEEN day.calendar_date - {{ dataset.window - 1 }} AND day.calendar_date
    ) AS pairs
