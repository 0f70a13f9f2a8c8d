-- Load staged articles into the dimension, and return one row: whether all articles are new, and
-- the articles that a second publication day lists. Unchanged rows are not rewritten. An attribute
-- that the answer lacks keeps its value. Of two publication days the article keeps the later one,
-- and the earlier day's answer only fills missing attributes. A replaced title is copied to the
-- title history. The dataset is marked as listing the article. A replay and an answer of the
-- earlier day only add this mark to articles that the dataset never listed.
{% set attributes = ["title", "url", "content_url", "publish_type"] %}
{% set more = ["extra", "first_seen_at", "unlisted_since"] %}
{% set listed %}'{"{{ dataset.name }}": null}'::jsonb{% endset %}
{% set is_earlier = "staged.publication_date < article.publication_date" %}
WITH merged AS (
    SELECT
        staged.appid,
        staged.msgid,
        staged.message_id,
        staged.position,
        greatest(staged.publication_date, article.publication_date) AS publication_date,
        staged.publication_date AS listed_date,
        {% for name in attributes %}
        CASE
            WHEN {{ is_earlier }} THEN coalesce(article.{{ name }}, staged.{{ name }})
            ELSE coalesce(staged.{{ name }}, article.{{ name }})
        END AS {{ name }},
        {% endfor %}
        CASE
            WHEN {{ is_earlier }}
                THEN coalesce(staged.extra || article.extra, article.extra, staged.extra)
            ELSE coalesce(article.extra || staged.extra, staged.extra, article.extra)
        END AS extra,
        CASE
            WHEN :is_history OR {{ is_earlier }}
                THEN {{ listed }} || coalesce(article.unlisted_since, '{}')
            ELSE coalesce(article.unlisted_since, '{}') || {{ listed }}
        END AS unlisted_since,
        least(staged.first_seen_at, article.first_seen_at) AS first_seen_at,
    {% for name in attributes + ["msgid", "publication_date"] + more %}
    article.{{ name }} AS old_{{ name }}{{ "," if not loop.last }}
    {% endfor %}
    FROM json_to_recordset(cast(:articles AS json)) AS staged (
            appid text,
            publication_date date,
            msgid text,
            message_id text,
            position smallint,
            title text,
            url text,
            content_url text,
            publish_type smallint,
            extra jsonb,
            first_seen_at timestamptz
        )
    LEFT JOIN weixin.dim_article AS article
        ON staged.appid = article.appid AND staged.msgid = article.msgid
),

changed AS MATERIALIZED (
    SELECT *
    FROM merged
    WHERE
        old_msgid IS NULL
        OR publication_date != old_publication_date
        {% for name in attributes + more %}
        OR {{ name }} IS DISTINCT FROM old_{{ name }}
        {% endfor %}
),

titles AS (
    INSERT INTO weixin.dim_article_title_history (appid, msgid, title, replaced_at)
    SELECT
        appid,
        msgid,
        old_title,
        :changed_at
    FROM changed
    WHERE title != old_title
),

written AS (
    INSERT INTO weixin.dim_article (
        appid,
        msgid,
        message_id,
        position,
        publication_date,
        {{ (attributes + more) | join(",\n        ") }}
    )
    SELECT
        appid,
        msgid,
        message_id,
        position,
        publication_date,
        {{ (attributes + more) | join(",\n        ") }}
    FROM changed
    ON CONFLICT (appid, msgid) DO UPDATE SET
        publication_date = excluded.publication_date,
        {% for name in attributes %}
        {{ name }} = excluded.{{ name }},
        {% endfor %}
        extra = excluded.extra,
        first_seen_at = excluded.first_seen_at,
        unlisted_since = excluded.unlisted_since
)

SELECT
    count(merged.old_msgid) = 0 AS are_new,
    array_agg(merged.appid) FILTER (WHERE publication.has_two_days) AS appids,
    array_agg(merged.msgid) FILTER (WHERE publication.has_two_days) AS msgids,
    array_agg(publication.earlier_date) FILTER (WHERE publication.has_two_days) AS earlier_dates
FROM merged
CROSS JOIN
    LATERAL (
        SELECT
            earliest.earlier_date,
            merged.publication_date > earliest.earlier_date AS has_two_days
        FROM (
            SELECT least(merged.listed_date, merged.old_publication_date) AS earlier_date
        ) AS earliest
    ) AS publication
