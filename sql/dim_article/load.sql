-- Staged articles into the dimension; one row per article that another publication day lists as
-- well. What is as it was is not written. An attribute that the answer does not hold keeps its
-- value. Of two publication days the later one stands: what the earlier one says only fills gaps. A
-- title that another replaces goes to the history. The dataset lists them: a sighting each that was
-- not there before; a fold adds those that are not known at all, as its articles need not be listed
-- any more.
{% set attributes = ["title", "url", "content_url", "publish_type"] %}
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
        least(staged.first_seen_at, article.first_seen_at) AS first_seen_at,
    {% for name in attributes + ["msgid", "publication_date", "extra", "first_seen_at"] %}
    article.{{ name }} AS old_{{ name }}{{ "," if not loop.last }}
    {% endfor %}
    FROM staged_article AS staged
    LEFT JOIN weixin.dim_article AS article
        ON staged.appid = article.appid AND staged.msgid = article.msgid
),

changed AS MATERIALIZED (
    SELECT *
    FROM merged
    WHERE
        old_msgid IS NULL
        OR publication_date != old_publication_date
        OR first_seen_at != old_first_seen_at
        OR extra IS DISTINCT FROM old_extra
        {% for name in attributes %}
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

sighted AS (
    INSERT INTO weixin.article_sighting (appid, msgid, dataset)
    SELECT
        staged.appid,
        staged.msgid,
        :dataset
    FROM staged_article AS staged
    WHERE
        NOT EXISTS (
            SELECT
            FROM weixin.article_sighting AS known
            WHERE
                known.appid = staged.appid
                AND known.msgid = staged.msgid
                AND known.dataset = :dataset
                AND (:is_fold OR known.unlisted_since IS NULL)
        )
    ON CONFLICT (appid, msgid, dataset) DO UPDATE SET unlisted_since = NULL
),

written AS (
    INSERT INTO weixin.dim_article (
        appid,
        msgid,
        message_id,
        position,
        publication_date,
        {{ attributes | join(",\n        ") }},
        extra,
        first_seen_at
    )
    SELECT
        appid,
        msgid,
        message_id,
        position,
        publication_date,
        {{ attributes | join(",\n        ") }},
        extra,
        first_seen_at
    FROM changed
    ON CONFLICT (appid, msgid) DO UPDATE SET
        publication_date = excluded.publication_date,
        {% for name in attributes %}
        {{ name }} = excluded.{{ name }},
        {% endfor %}
        extra = excluded.extra,
        first_seen_at = excluded.first_seen_at
)

SELECT
    appid,
    msgid
FROM merged
WHERE publication_date > listed_date OR publication_date > old_publication_date
