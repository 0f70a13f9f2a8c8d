-- migrate:up

CREATE VIEW analytics.coverage AS
WITH dataset (name, days, first_day) AS (
    VALUES
    ('article_total', 7, date '2014-12-01'),
    ('article_total_detail', 30, date '2025-11-01')
),

known AS (
    SELECT
        dataset,
        appid,
        min(publication_date) AS first_date,
        max(publication_date) AS last_date
    FROM weixin.coverage
    GROUP BY dataset, appid
    UNION ALL
    SELECT
        dataset.name,
        account.appid,
        NULL,
        NULL
    FROM dataset
    CROSS JOIN weixin.dim_account AS account
    WHERE
        account.first_scheduled_date IS NOT NULL
        AND dataset.name IN (SELECT coverage.dataset FROM weixin.coverage)
        AND NOT EXISTS (
            SELECT FROM weixin.coverage
            WHERE coverage.dataset = dataset.name AND coverage.appid = account.appid
        )
),

begun AS (
    SELECT
        known.appid,
        known.dataset,
        dataset.first_day,
        greatest(
            dataset.first_day,
            coalesce(account.first_scheduled_date - dataset.days, known.first_date)
        ) AS first_date,
        greatest(
            known.last_date,
            CASE
                WHEN account.is_active IS NOT FALSE
                    THEN (now() AT TIME ZONE 'Asia/Shanghai')::date - 1
            END
        ) AS last_date
    FROM known
    INNER JOIN dataset
        ON known.dataset = dataset.name
    LEFT JOIN weixin.dim_account AS account
        ON known.appid = account.appid
)

SELECT
    begun.dataset,
    begun.appid,
    calendar.publication_date,
    CASE
        WHEN coverage.publication_date IS NULL THEN 'missing'
        WHEN coverage.attempt_state = 'ok' THEN coverage.data_state
        ELSE coverage.attempt_state
    END AS state,
    coalesce(coverage.is_final, FALSE) AS is_final,
    coverage.through_date,
    coverage.fetched_at,
    CASE
        WHEN coverage.publication_date IS NOT NULL THEN coverage.error
        WHEN retired.appid IS NOT NULL
            THEN format(
                    'not asked for: WeChat says since %s that the endpoint is offline',
                    (retired.retired_at AT TIME ZONE 'Asia/Shanghai')::date
                )
    END AS reason,
    (begun.first_date - begun.first_day - before.days_loaded)::integer AS days_not_loaded_before
FROM begun
CROSS JOIN
    LATERAL (
        SELECT count(*) AS days_loaded
        FROM weixin.coverage AS earlier
        WHERE
            earlier.dataset = begun.dataset
            AND earlier.appid = begun.appid
            AND earlier.publication_date < begun.first_date
            AND earlier.data_state IS NOT NULL
    ) AS before
CROSS JOIN
    LATERAL (
        SELECT begun.first_date + step AS publication_date
        FROM generate_series(0, begun.last_date - begun.first_date) AS step
    ) AS calendar
LEFT JOIN weixin.retired
    ON begun.dataset = retired.dataset AND begun.appid = retired.appid
LEFT JOIN weixin.coverage
    ON
        begun.dataset = coverage.dataset
        AND begun.appid = coverage.appid
        AND calendar.publication_date = coverage.publication_date;

COMMENT ON VIEW analytics.coverage IS 'One row per dataset, account and publication day, from the first day its first scheduled run asked for (else the first day ever asked for) to yesterday; for an account no longer collected, to the last day asked for. What we have, and what is missing';
COMMENT ON COLUMN analytics.coverage.dataset IS 'Which endpoint';
COMMENT ON COLUMN analytics.coverage.appid IS 'The account';
COMMENT ON COLUMN analytics.coverage.publication_date IS 'The publication day (Beijing)';
COMMENT ON COLUMN analytics.coverage.state IS 'How the last try ended: loaded, empty (nothing was published), not_ready or failed (earlier data stay, see fetched_at); or missing (never asked for)';
COMMENT ON COLUMN analytics.coverage.is_final IS 'Whether the totals have stopped growing';
COMMENT ON COLUMN analytics.coverage.through_date IS 'Last stat_date that every article of the day reaches';
COMMENT ON COLUMN analytics.coverage.fetched_at IS 'When the newest loaded answer was fetched; null when there never was one';
COMMENT ON COLUMN analytics.coverage.reason IS 'Why the last try did not end well, and what to change; or why nobody asks';
COMMENT ON COLUMN analytics.coverage.days_not_loaded_before IS 'Publication days before the first of these rows that WeChat can be asked for and that were not loaded';

CREATE VIEW analytics.restatement AS
SELECT
    restatement.dataset,
    restatement.appid,
    restatement.msgid,
    article.title,
    article.publication_date,
    restatement.stat_date,
    restatement.metric,
    restatement.old_value,
    restatement.new_value,
    restatement.new_value - restatement.old_value AS difference,
    restatement.cause,
    restatement.changed_at
FROM weixin.restatement
LEFT JOIN weixin.dim_article AS article
    ON restatement.appid = article.appid AND restatement.msgid = article.msgid;

COMMENT ON VIEW analytics.restatement IS 'One row per figure that was loaded and later given another value';
COMMENT ON COLUMN analytics.restatement.dataset IS 'Which endpoint';
COMMENT ON COLUMN analytics.restatement.appid IS 'The account';
COMMENT ON COLUMN analytics.restatement.msgid IS 'The article';
COMMENT ON COLUMN analytics.restatement.title IS 'Its title';
COMMENT ON COLUMN analytics.restatement.publication_date IS 'Day of publication (Beijing)';
COMMENT ON COLUMN analytics.restatement.stat_date IS 'The day whose total changed (Beijing)';
COMMENT ON COLUMN analytics.restatement.metric IS 'Name of the metric';
COMMENT ON COLUMN analytics.restatement.old_value IS 'Value before';
COMMENT ON COLUMN analytics.restatement.new_value IS 'Value after';
COMMENT ON COLUMN analytics.restatement.difference IS 'new_value - old_value';
COMMENT ON COLUMN analytics.restatement.cause IS 'wechat: WeChat answered another number; replay: a newer parser read the same answer differently';
COMMENT ON COLUMN analytics.restatement.changed_at IS 'When it was loaded';

CREATE VIEW analytics.metric AS
SELECT *
FROM (
    VALUES
    (
        'article_total',
        'target_user',
        '送达人数',
        'people',
        'level',
        'How many people the message went to: it has no increment',
        NULL
    ),
    (
        'article_total',
        'int_page_read_user',
        '图文页阅读人数',
        'people',
        'additive',
        'The nearest of article_total_detail is read_user; they count differently and do not agree',
        NULL
    ),
    (
        'article_total',
        'int_page_read_count',
        '图文页阅读次数',
        'times',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total',
        'ori_page_read_user',
        '原文页阅读人数',
        'people',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total',
        'ori_page_read_count',
        '原文页阅读次数',
        'times',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total',
        'share_user',
        '分享人数',
        'people',
        'additive',
        'Both datasets have a metric of this name; they count differently and do not agree',
        NULL
    ),
    (
        'article_total',
        'share_count',
        '分享次数',
        'times',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total',
        'add_to_fav_user',
        '收藏人数',
        'people',
        'additive',
        'The nearest of article_total_detail is collection_user',
        NULL
    ),
    (
        'article_total',
        'add_to_fav_count',
        '收藏次数',
        'times',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total',
        'int_page_from_session_read_user',
        '公众号会话阅读人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_session_read_count',
        '公众号会话阅读次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_hist_msg_read_user',
        '历史消息页阅读人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_hist_msg_read_count',
        '历史消息页阅读次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_feed_read_user',
        '朋友圈阅读人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_feed_read_count',
        '朋友圈阅读次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_friends_read_user',
        '好友转发阅读人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_friends_read_count',
        '好友转发阅读次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_other_read_user',
        '其他场景阅读人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_other_read_count',
        '其他场景阅读次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'feed_share_from_session_user',
        '公众号会话转发朋友圈人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'feed_share_from_session_cnt',
        '公众号会话转发朋友圈次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'feed_share_from_feed_user',
        '朋友圈转发朋友圈人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'feed_share_from_feed_cnt',
        '朋友圈转发朋友圈次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'feed_share_from_other_user',
        '其他场景转发朋友圈人数',
        'people',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'feed_share_from_other_cnt',
        '其他场景转发朋友圈次数',
        'times',
        'additive',
        'The parts may add up to more than the whole',
        NULL
    ),
    (
        'article_total',
        'int_page_from_kanyikan_read_user',
        '看一看阅读人数',
        'people',
        'additive',
        'WeChat often leaves it out: null, not 0',
        NULL
    ),
    (
        'article_total',
        'int_page_from_kanyikan_read_count',
        '看一看阅读次数',
        'times',
        'additive',
        'WeChat often leaves it out: null, not 0',
        NULL
    ),
    (
        'article_total',
        'int_page_from_souyisou_read_user',
        '搜一搜阅读人数',
        'people',
        'additive',
        'WeChat often leaves it out: null, not 0',
        NULL
    ),
    (
        'article_total',
        'int_page_from_souyisou_read_count',
        '搜一搜阅读次数',
        'times',
        'additive',
        'WeChat often leaves it out: null, not 0',
        NULL
    ),
    (
        'article_total_detail',
        'read_user',
        '阅读人数',
        'people',
        'additive',
        'The nearest of article_total is int_page_read_user; they are counted differently',
        NULL
    ),
    (
        'article_total_detail',
        'read_user_source',
        '阅读来源',
        'list',
        'level',
        'scene_desc is free Chinese text; 全部 is the sum; see analytics.article_source',
        NULL
    ),
    (
        'article_total_detail',
        'share_user',
        '分享人数',
        'people',
        'additive',
        'Both datasets have a metric of this name; they count differently and do not agree',
        NULL
    ),
    (
        'article_total_detail',
        'zaikan_user',
        '在看人数',
        'people',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total_detail',
        'like_user',
        '点赞人数',
        'people',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total_detail',
        'comment_count',
        '评论数',
        'times',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total_detail',
        'collection_user',
        '收藏人数',
        'people',
        'additive',
        'The nearest of article_total is add_to_fav_user',
        NULL
    ),
    (
        'article_total_detail',
        'praise_money',
        '赞赏金额',
        'cents',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total_detail',
        'read_subscribe_user',
        '阅读后关注人数',
        'people',
        'additive',
        NULL,
        NULL
    ),
    (
        'article_total_detail',
        'read_delivery_rate',
        '送达阅读率',
        'share',
        'level',
        'Not additive, and never to be averaged over articles',
        NULL
    ),
    (
        'article_total_detail',
        'read_finish_rate',
        '完读率',
        'share',
        'level',
        'Not additive, and never to be averaged over articles',
        NULL
    ),
    (
        'article_total_detail',
        'read_avg_activetime',
        '平均停留时长',
        'minutes',
        'level',
        'Not additive, and never to be averaged over articles',
        NULL
    ),
    (
        'article_total_detail',
        'read_jump_position',
        '跳出位置',
        'list',
        'level',
        NULL,
        NULL
    ),
    (
        'article_total',
        'session_open_rate',
        '公众号会话打开率',
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        'int_page_from_session_read_user / target_user'
    ),
    (
        'article_total',
        'share_rate',
        '分享率',
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        'share_user / int_page_read_user'
    ),
    (
        'article_total',
        'favourite_rate',
        '收藏率',
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        'add_to_fav_user / int_page_read_user'
    ),
    (
        'article_total',
        'original_page_rate',
        '原文页阅读率',
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        'ori_page_read_user / int_page_read_user'
    ),
    (
        'article_total',
        'moments_spread',
        '朋友圈扩散率',
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        'feed_share_from_session_user / int_page_from_session_read_user'
    ),
    (
        'article_total_detail',
        'share_rate',
        '分享率',
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        'share_user / read_user'
    ),
    (
        'article_total_detail',
        'favourite_rate',
        '收藏率',
        'share',
        'level',
        'Over several articles divide sums by sums; it may exceed 1',
        'collection_user / read_user'
    )
) AS metric (dataset, name, chinese_name, unit, additivity, caveat, formula);

COMMENT ON VIEW analytics.metric IS 'The dictionary: one row per dataset and metric, and per rate of the views. The two datasets are not merged into one series: WeChat counts them by different rules (article page against all reading scenes, 7 against 30 days), and the same article has different totals in both';
COMMENT ON COLUMN analytics.metric.dataset IS 'Which endpoint';
COMMENT ON COLUMN analytics.metric.name IS 'Name, as the column of the fact or, for a rate, of analytics.article_rate or account_daily_detail';
COMMENT ON COLUMN analytics.metric.chinese_name IS 'What it is called in Chinese';
COMMENT ON COLUMN analytics.metric.unit IS 'people, times, cents, minutes, share (1 is all) or list';
COMMENT ON COLUMN analytics.metric.additivity IS 'additive: increments of days add up to the total; level: they do not';
COMMENT ON COLUMN analytics.metric.caveat IS 'What to know before using it';
COMMENT ON COLUMN analytics.metric.formula IS 'What a rate is made of; null for what WeChat gives itself';

-- migrate:down

DROP VIEW analytics.metric;
DROP VIEW analytics.restatement;
DROP VIEW analytics.coverage;
