-- One row per dataset, article, stat_date and scene: where readers came from. A scene WeChat left
-- out has no row; the lists of article_total_detail are kept as they came, and a value there that
-- is not a number is NULL
CREATE VIEW analytics.article_source (
    -- Which endpoint the figures come from
    dataset,
    -- The account
    appid,
    -- The article, see analytics.article
    msgid,
    -- Day of publication (Beijing)
    publication_date,
    -- The day (Beijing) at whose end the totals stood
    stat_date,
    -- Where readers came from: session, history, feed, friends, other, kanyikan, souyisou; for
    -- article_total_detail WeChat's own Chinese text
    scene,
    -- People who read it from there, total so far
    read_user,
    -- Reads from there, total so far; article_total only
    read_count,
    -- Share of the sum of people over the scenes. The sum may exceed the article's readers, as one
    -- reader can come from two places
    read_user_share
) AS
WITH source AS (
    SELECT
        'article_total' AS dataset,
        fact.appid,
        fact.msgid,
        fact.publication_date,
        fact.stat_date,
        came_from.scene,
        came_from.read_user,
        came_from.read_count
    FROM weixin.fact_article_total AS fact
    CROSS JOIN
        LATERAL (
            VALUES
            {%
                for scene, part in [
                    ("session", "session"),
                    ("history", "hist_msg"),
                    ("feed", "feed"),
                    ("friends", "friends"),
                    ("other", "other"),
                    ("kanyikan", "kanyikan"),
                    ("souyisou", "souyisou"),
                ]
            %}
            (
                '{{ scene }}',
                fact.int_page_from_{{ part }}_read_user,
                fact.int_page_from_{{ part }}_read_count
            ){{ "," if not loop.last }}
            {% endfor %}
        ) AS came_from (scene, read_user, read_count)
    WHERE came_from.read_user IS NOT NULL OR came_from.read_count IS NOT NULL
    UNION ALL
    SELECT
        'article_total_detail',
        fact.appid,
        fact.msgid,
        fact.publication_date,
        fact.stat_date,
        came_from.scene,
        came_from.read_user,
        NULL
    FROM weixin.fact_article_total_detail AS fact
    CROSS JOIN
        LATERAL (
            SELECT
                entry ->> 'scene_desc' AS scene,
                sum(
                    CASE
                        WHEN entry ->> 'user_count' ~ '^[0-9]{1,18}([.]0+)?$'
                            THEN (entry ->> 'user_count')::numeric
                    END
                )::bigint AS read_user
            FROM
                jsonb_array_elements(
                    CASE jsonb_typeof(fact.read_user_source)
                        WHEN 'array' THEN fact.read_user_source
                    END
                ) AS entry
            WHERE trim(entry ->> 'scene_desc') != '全部'
            GROUP BY entry ->> 'scene_desc'
        ) AS came_from
)

SELECT
    dataset,
    appid,
    msgid,
    publication_date,
    stat_date,
    scene,
    read_user,
    read_count,
    read_user / nullif(
        sum(read_user) OVER (PARTITION BY dataset, appid, msgid, publication_date, stat_date), 0
    ) AS read_user_share
FROM source
