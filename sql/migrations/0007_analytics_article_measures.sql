-- migrate:up

CREATE VIEW analytics.article_growth AS
WITH total AS (
    SELECT
        'article_total' AS dataset,
        fact.appid,
        fact.msgid,
        fact.publication_date,
        fact.stat_date,
        total.metric,
        total.value
    FROM weixin.fact_article_total AS fact
    CROSS JOIN
        LATERAL (
            VALUES
            ('int_page_read_user', fact.int_page_read_user),
            ('int_page_read_count', fact.int_page_read_count),
            ('ori_page_read_user', fact.ori_page_read_user),
            ('ori_page_read_count', fact.ori_page_read_count),
            ('share_user', fact.share_user),
            ('share_count', fact.share_count),
            ('add_to_fav_user', fact.add_to_fav_user),
            ('add_to_fav_count', fact.add_to_fav_count),
            ('int_page_from_session_read_user', fact.int_page_from_session_read_user),
            ('int_page_from_session_read_count', fact.int_page_from_session_read_count),
            ('int_page_from_hist_msg_read_user', fact.int_page_from_hist_msg_read_user),
            ('int_page_from_hist_msg_read_count', fact.int_page_from_hist_msg_read_count),
            ('int_page_from_feed_read_user', fact.int_page_from_feed_read_user),
            ('int_page_from_feed_read_count', fact.int_page_from_feed_read_count),
            ('int_page_from_friends_read_user', fact.int_page_from_friends_read_user),
            ('int_page_from_friends_read_count', fact.int_page_from_friends_read_count),
            ('int_page_from_other_read_user', fact.int_page_from_other_read_user),
            ('int_page_from_other_read_count', fact.int_page_from_other_read_count),
            ('feed_share_from_session_user', fact.feed_share_from_session_user),
            ('feed_share_from_session_cnt', fact.feed_share_from_session_cnt),
            ('feed_share_from_feed_user', fact.feed_share_from_feed_user),
            ('feed_share_from_feed_cnt', fact.feed_share_from_feed_cnt),
            ('feed_share_from_other_user', fact.feed_share_from_other_user),
            ('feed_share_from_other_cnt', fact.feed_share_from_other_cnt),
            ('int_page_from_kanyikan_read_user', fact.int_page_from_kanyikan_read_user),
            ('int_page_from_kanyikan_read_count', fact.int_page_from_kanyikan_read_count),
            ('int_page_from_souyisou_read_user', fact.int_page_from_souyisou_read_user),
            ('int_page_from_souyisou_read_count', fact.int_page_from_souyisou_read_count)
        ) AS total (metric, value)
    UNION ALL
    SELECT
        'article_total_detail' AS dataset,
        fact.appid,
        fact.msgid,
        fact.publication_date,
        fact.stat_date,
        total.metric,
        total.value
    FROM weixin.fact_article_total_detail AS fact
    CROSS JOIN LATERAL (
        VALUES
        ('read_user', fact.read_user),
        ('share_user', fact.share_user),
        ('zaikan_user', fact.zaikan_user),
        ('like_user', fact.like_user),
        ('comment_count', fact.comment_count),
        ('collection_user', fact.collection_user),
        ('praise_money', fact.praise_money),
        ('read_subscribe_user', fact.read_subscribe_user)
    ) AS total (metric, value)
),

reached AS (
    SELECT
        dataset,
        appid,
        msgid,
        publication_date,
        metric,
        max(value) FILTER (WHERE stat_date = publication_date) AS day_1,
        max(value) FILTER (WHERE stat_date = publication_date + 2) AS day_3,
        max(value) FILTER (WHERE stat_date = publication_date + 6) AS day_7,
        max(value) FILTER (WHERE stat_date = publication_date + 29) AS day_30,
        (
            max(ARRAY[stat_date - date '2000-01-01', value]) FILTER (WHERE value IS NOT NULL)
        )[2] AS latest
    FROM total
    GROUP BY dataset, appid, msgid, publication_date, metric
)

SELECT
    reached.dataset,
    reached.appid,
    reached.msgid,
    reached.publication_date,
    reached.metric,
    reached.day_1,
    reached.day_3,
    reached.day_7,
    reached.day_30,
    reached.latest,
    coalesce(coverage.is_final, FALSE) AS is_final,
    CASE WHEN coverage.is_final THEN reached.day_1::numeric / nullif(reached.latest, 0) END
        AS day_1_share,
    CASE WHEN coverage.is_final THEN reached.day_3::numeric / nullif(reached.latest, 0) END
        AS day_3_share,
    CASE WHEN coverage.is_final THEN reached.day_7::numeric / nullif(reached.latest, 0) END
        AS day_7_share,
    CASE WHEN coverage.is_final THEN reached.day_30::numeric / nullif(reached.latest, 0) END
        AS day_30_share
FROM reached
LEFT JOIN weixin.coverage
    ON
        reached.dataset = coverage.dataset
        AND reached.appid = coverage.appid
        AND reached.publication_date = coverage.publication_date;

COMMENT ON VIEW analytics.article_growth IS 'One row per dataset, article and metric: how fast the total grew';
COMMENT ON COLUMN analytics.article_growth.dataset IS 'Which endpoint the figures come from';
COMMENT ON COLUMN analytics.article_growth.appid IS 'The account';
COMMENT ON COLUMN analytics.article_growth.msgid IS 'The article, see analytics.article';
COMMENT ON COLUMN analytics.article_growth.publication_date IS 'Day of publication (Beijing)';
COMMENT ON COLUMN analytics.article_growth.metric IS 'Name of the metric, see analytics.metric';
COMMENT ON COLUMN analytics.article_growth.day_1 IS 'Total at the end of day 1, the publication day being day 1; null without a row of that day, or where it left the figure out';
COMMENT ON COLUMN analytics.article_growth.day_3 IS 'Total at the end of day 3, the publication day being day 1; null without a row of that day, or where it left the figure out';
COMMENT ON COLUMN analytics.article_growth.day_7 IS 'Total at the end of day 7, the publication day being day 1; null without a row of that day, or where it left the figure out';
COMMENT ON COLUMN analytics.article_growth.day_30 IS 'Total at the end of day 30, the publication day being day 1; null without a row of that day, or where it left the figure out';
COMMENT ON COLUMN analytics.article_growth.latest IS 'Latest known total';
COMMENT ON COLUMN analytics.article_growth.is_final IS 'Whether latest is the final total';
COMMENT ON COLUMN analytics.article_growth.day_1_share IS 'Share of the final total reached by the end of day 1; null until the total is final, or when it is 0';
COMMENT ON COLUMN analytics.article_growth.day_3_share IS 'Share of the final total reached by the end of day 3; null until the total is final, or when it is 0';
COMMENT ON COLUMN analytics.article_growth.day_7_share IS 'Share of the final total reached by the end of day 7; null until the total is final, or when it is 0';
COMMENT ON COLUMN analytics.article_growth.day_30_share IS 'Share of the final total reached by the end of day 30; null until the total is final, or when it is 0';

CREATE VIEW analytics.article_source AS
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
            (
                'session',
                fact.int_page_from_session_read_user,
                fact.int_page_from_session_read_count
            ),
            (
                'history',
                fact.int_page_from_hist_msg_read_user,
                fact.int_page_from_hist_msg_read_count
            ),
            (
                'feed', fact.int_page_from_feed_read_user, fact.int_page_from_feed_read_count
            ),
            (
                'friends',
                fact.int_page_from_friends_read_user,
                fact.int_page_from_friends_read_count
            ),
            (
                'other', fact.int_page_from_other_read_user, fact.int_page_from_other_read_count
            ),
            (
                'kanyikan',
                fact.int_page_from_kanyikan_read_user,
                fact.int_page_from_kanyikan_read_count
            ),
            (
                'souyisou',
                fact.int_page_from_souyisou_read_user,
                fact.int_page_from_souyisou_read_count
            )
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
FROM source;

COMMENT ON VIEW analytics.article_source IS 'One row per dataset, article, stat_date and scene: where readers came from. A scene WeChat left out has no row; the lists of article_total_detail are kept as they came, and a number there that is none is null';
COMMENT ON COLUMN analytics.article_source.dataset IS 'Which endpoint the figures come from';
COMMENT ON COLUMN analytics.article_source.appid IS 'The account';
COMMENT ON COLUMN analytics.article_source.msgid IS 'The article, see analytics.article';
COMMENT ON COLUMN analytics.article_source.publication_date IS 'Day of publication (Beijing)';
COMMENT ON COLUMN analytics.article_source.stat_date IS 'The day (Beijing) at whose end the totals stood';
COMMENT ON COLUMN analytics.article_source.scene IS 'Where readers came from: session, history, feed, friends, other, kanyikan, souyisou; for article_total_detail WeChat''s own Chinese text';
COMMENT ON COLUMN analytics.article_source.read_user IS 'People who read it from there, total so far';
COMMENT ON COLUMN analytics.article_source.read_count IS 'Reads from there, total so far; article_total only';
COMMENT ON COLUMN analytics.article_source.read_user_share IS 'Share of the scenes'' sum of people: the sum may exceed the article''s readers, who can come from two places';

CREATE VIEW analytics.article_rate AS
SELECT
    appid,
    msgid,
    publication_date,
    stat_date,
    int_page_from_session_read_user::numeric / nullif(target_user, 0) AS session_open_rate,
    share_user::numeric / nullif(int_page_read_user, 0) AS share_rate,
    add_to_fav_user::numeric / nullif(int_page_read_user, 0) AS favourite_rate,
    ori_page_read_user::numeric / nullif(int_page_read_user, 0) AS original_page_rate,
    feed_share_from_session_user::numeric
    / nullif(int_page_from_session_read_user, 0) AS moments_spread
FROM weixin.fact_article_total;

COMMENT ON VIEW analytics.article_rate IS 'One row per article and stat_date of article_total: the rates people use, from totals. Never average them: divide sums by sums';
COMMENT ON COLUMN analytics.article_rate.appid IS 'The account';
COMMENT ON COLUMN analytics.article_rate.msgid IS 'The article, see analytics.article';
COMMENT ON COLUMN analytics.article_rate.publication_date IS 'Day of publication (Beijing)';
COMMENT ON COLUMN analytics.article_rate.stat_date IS 'The day (Beijing) at whose end the totals stood';
COMMENT ON COLUMN analytics.article_rate.session_open_rate IS 'People who opened it from the account''s chat, of the people it was sent to: int_page_from_session_read_user / target_user; null when the latter is 0';
COMMENT ON COLUMN analytics.article_rate.share_rate IS 'People who shared it, of its readers: share_user / int_page_read_user; null when the latter is 0';
COMMENT ON COLUMN analytics.article_rate.favourite_rate IS 'People who added it to their favourites, of its readers: add_to_fav_user / int_page_read_user; null when the latter is 0';
COMMENT ON COLUMN analytics.article_rate.original_page_rate IS 'People who followed "read the original", of its readers: ori_page_read_user / int_page_read_user; null when the latter is 0';
COMMENT ON COLUMN analytics.article_rate.moments_spread IS 'People who shared it to Moments from the account''s chat, of those who read it there: feed_share_from_session_user / int_page_from_session_read_user; null when the latter is 0';

-- migrate:down

DROP VIEW analytics.article_rate;
DROP VIEW analytics.article_source;
DROP VIEW analytics.article_growth;
