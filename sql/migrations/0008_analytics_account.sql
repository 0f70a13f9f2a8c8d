-- migrate:up

CREATE VIEW analytics.account_daily AS
WITH known AS (
    SELECT
        appid,
        min(publication_date) AS first_date,
        greatest(max(publication_date), max(through_date)) AS last_date
    FROM weixin.coverage
    WHERE dataset = 'article_total'
    GROUP BY appid
),

-- step 0: an increment on its own day; above: a day it covers as well, whose row was missing
day AS (
    SELECT
        appid,
        calendar_date,
        max(days_spanned) FILTER (WHERE step = 0) AS days_spanned,
        coalesce(bool_or(is_restated) FILTER (WHERE step = 0), FALSE) AS is_restated,
        coalesce(bool_or(step > 0), FALSE) AS is_skipped,
        sum(int_page_read_user) FILTER (WHERE step = 0) AS int_page_read_user_increment,
        sum(int_page_read_count) FILTER (WHERE step = 0) AS int_page_read_count_increment,
        sum(share_user) FILTER (WHERE step = 0) AS share_user_increment,
        sum(share_count) FILTER (WHERE step = 0) AS share_count_increment,
        sum(add_to_fav_user) FILTER (WHERE step = 0) AS add_to_fav_user_increment,
        sum(add_to_fav_count) FILTER (WHERE step = 0) AS add_to_fav_count_increment,
        sum(share_user) FILTER (WHERE step = 0 AND int_page_read_user IS NOT NULL)
        / nullif(
            sum(int_page_read_user) FILTER (WHERE step = 0 AND share_user IS NOT NULL), 0
        ) AS share_rate,
        sum(add_to_fav_user) FILTER (WHERE step = 0 AND int_page_read_user IS NOT NULL)
        / nullif(
            sum(int_page_read_user) FILTER (WHERE step = 0 AND add_to_fav_user IS NOT NULL), 0
        ) AS favourite_rate
    FROM (
        SELECT
            appid,
            stat_date - step AS calendar_date,
            step,
            days_spanned,
            is_restated,
            int_page_read_user,
            int_page_read_count,
            share_user,
            share_count,
            add_to_fav_user,
            add_to_fav_count
        FROM analytics.article_daily
        CROSS JOIN LATERAL generate_series(0, greatest(days_spanned, 1) - 1) AS step
        UNION ALL
        SELECT
            known.appid,
            known.first_date + step AS calendar_date,
            NULL,
            NULL,
            NULL,
            NULL,
            NULL,
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
    day.days_spanned,
    day.is_restated,
    day.int_page_read_user_increment,
    day.int_page_read_count_increment,
    day.share_user_increment,
    day.share_count_increment,
    day.add_to_fav_user_increment,
    day.add_to_fav_count_increment,
    day.share_rate,
    day.favourite_rate,
    NOT day.is_skipped AND (
        SELECT count(*) = 7
        FROM weixin.coverage
        WHERE
            coverage.dataset = 'article_total'
            AND coverage.appid = day.appid
            AND coverage.publication_date BETWEEN day.calendar_date - 6 AND day.calendar_date
            AND day.calendar_date <= CASE coverage.data_state
                WHEN 'loaded' THEN coverage.through_date
                WHEN 'empty' THEN (coverage.fetched_at AT TIME ZONE 'Asia/Shanghai')::date
                    - CASE coverage.attempt_state WHEN 'not_ready' THEN 2 ELSE 1 END
            END
    ) AS is_complete
FROM day;

COMMENT ON VIEW analytics.account_daily IS 'One row per account and calendar day of article_total, up to the last day asked for: what all its articles gained that day. An increment that spans a gap counts on its last day';
COMMENT ON COLUMN analytics.account_daily.appid IS 'The account';
COMMENT ON COLUMN analytics.account_daily.calendar_date IS 'The day (Beijing)';
COMMENT ON COLUMN analytics.account_daily.articles_published IS 'Articles published on the day, as far as either endpoint told';
COMMENT ON COLUMN analytics.account_daily.days_spanned IS 'Most days since an article''s row before: above 1, an article had no row the day before, and part of what counts here came then; what a metric left out of a row brings with its next value is not told by this';
COMMENT ON COLUMN analytics.account_daily.is_restated IS 'Whether a total of an article fell, so that increments and rates hold a negative part';
COMMENT ON COLUMN analytics.account_daily.int_page_read_user_increment IS 'int_page_read_user that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.int_page_read_count_increment IS 'int_page_read_count that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.share_user_increment IS 'share_user that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.share_count_increment IS 'share_count that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.add_to_fav_user_increment IS 'add_to_fav_user that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.add_to_fav_count_increment IS 'add_to_fav_count that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.share_rate IS 'share_user / int_page_read_user of the day: sums over sums, of the articles that have both; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily.favourite_rate IS 'add_to_fav_user / int_page_read_user of the day: sums over sums, of the articles that have both; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily.is_complete IS 'Whether every publication day whose window holds the day reaches it (all its articles have a row so late, or an answer of a later day says that it has none), and no article lacks the row of the day itself. False also near the start of what was loaded';

CREATE VIEW analytics.account_daily_detail AS
WITH known AS (
    SELECT
        appid,
        min(publication_date) AS first_date,
        greatest(max(publication_date), max(through_date)) AS last_date
    FROM weixin.coverage
    WHERE dataset = 'article_total_detail'
    GROUP BY appid
),

-- step 0: an increment on its own day; above: a day it covers as well, whose row was missing
day AS (
    SELECT
        appid,
        calendar_date,
        max(days_spanned) FILTER (WHERE step = 0) AS days_spanned,
        coalesce(bool_or(is_restated) FILTER (WHERE step = 0), FALSE) AS is_restated,
        coalesce(bool_or(step > 0), FALSE) AS is_skipped,
        sum(read_user) FILTER (WHERE step = 0) AS read_user_increment,
        sum(share_user) FILTER (WHERE step = 0) AS share_user_increment,
        sum(zaikan_user) FILTER (WHERE step = 0) AS zaikan_user_increment,
        sum(like_user) FILTER (WHERE step = 0) AS like_user_increment,
        sum(comment_count) FILTER (WHERE step = 0) AS comment_count_increment,
        sum(collection_user) FILTER (WHERE step = 0) AS collection_user_increment,
        sum(read_subscribe_user) FILTER (WHERE step = 0) AS read_subscribe_user_increment,
        sum(share_user) FILTER (WHERE step = 0 AND read_user IS NOT NULL)
        / nullif(
            sum(read_user) FILTER (WHERE step = 0 AND share_user IS NOT NULL), 0
        ) AS share_rate,
        sum(collection_user) FILTER (WHERE step = 0 AND read_user IS NOT NULL)
        / nullif(
            sum(read_user) FILTER (WHERE step = 0 AND collection_user IS NOT NULL), 0
        ) AS favourite_rate
    FROM (
        SELECT
            appid,
            stat_date - step AS calendar_date,
            step,
            days_spanned,
            is_restated,
            read_user,
            share_user,
            zaikan_user,
            like_user,
            comment_count,
            collection_user,
            read_subscribe_user
        FROM analytics.article_daily_detail
        CROSS JOIN LATERAL generate_series(0, greatest(days_spanned, 1) - 1) AS step
        UNION ALL
        SELECT
            known.appid,
            known.first_date + step AS calendar_date,
            NULL,
            NULL,
            NULL,
            NULL,
            NULL,
            NULL,
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
    day.days_spanned,
    day.is_restated,
    day.read_user_increment,
    day.share_user_increment,
    day.zaikan_user_increment,
    day.like_user_increment,
    day.comment_count_increment,
    day.collection_user_increment,
    day.read_subscribe_user_increment,
    day.share_rate,
    day.favourite_rate,
    NOT day.is_skipped AND (
        SELECT count(*) = 30
        FROM weixin.coverage
        WHERE
            coverage.dataset = 'article_total_detail'
            AND coverage.appid = day.appid
            AND coverage.publication_date BETWEEN day.calendar_date - 29 AND day.calendar_date
            AND day.calendar_date <= CASE coverage.data_state
                WHEN 'loaded' THEN coverage.through_date
                WHEN 'empty' THEN (coverage.fetched_at AT TIME ZONE 'Asia/Shanghai')::date
                    - CASE coverage.attempt_state WHEN 'not_ready' THEN 2 ELSE 1 END
            END
    ) AS is_complete
FROM day;

COMMENT ON VIEW analytics.account_daily_detail IS 'One row per account and calendar day of article_total_detail, up to the last day asked for: what all its articles gained that day. An increment that spans a gap counts on its last day';
COMMENT ON COLUMN analytics.account_daily_detail.appid IS 'The account';
COMMENT ON COLUMN analytics.account_daily_detail.calendar_date IS 'The day (Beijing)';
COMMENT ON COLUMN analytics.account_daily_detail.articles_published IS 'Articles published on the day, as far as either endpoint told';
COMMENT ON COLUMN analytics.account_daily_detail.days_spanned IS 'Most days since an article''s row before: above 1, an article had no row the day before, and part of what counts here came then; what a metric left out of a row brings with its next value is not told by this';
COMMENT ON COLUMN analytics.account_daily_detail.is_restated IS 'Whether a total of an article fell, so that increments and rates hold a negative part';
COMMENT ON COLUMN analytics.account_daily_detail.read_user_increment IS 'read_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.share_user_increment IS 'share_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.zaikan_user_increment IS 'zaikan_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.like_user_increment IS 'like_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.comment_count_increment IS 'comment_count that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.collection_user_increment IS 'collection_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.read_subscribe_user_increment IS 'read_subscribe_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.share_rate IS 'share_user / read_user of the day: sums over sums, of the articles that have both; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily_detail.favourite_rate IS 'collection_user / read_user of the day: sums over sums, of the articles that have both; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily_detail.is_complete IS 'Whether every publication day whose window holds the day reaches it (all its articles have a row so late, or an answer of a later day says that it has none), and no article lacks the row of the day itself. False also near the start of what was loaded';

CREATE VIEW analytics.benchmark AS
SELECT
    growth.dataset,
    growth.appid,
    article.position,
    day.day_number,
    count(day.reads) AS article_count,
    percentile_cont(0.25) WITHIN GROUP (ORDER BY day.reads) AS lower_quartile,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY day.reads) AS median,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY day.reads) AS upper_quartile
FROM (
    SELECT
        *,
        max(publication_date) OVER (PARTITION BY dataset, appid) AS newest_date
    FROM analytics.article_growth
    WHERE
        (dataset = 'article_total' AND metric = 'int_page_read_user')
        OR (dataset = 'article_total_detail' AND metric = 'read_user')
) AS growth
INNER JOIN weixin.dim_article AS article
    ON growth.appid = article.appid AND growth.msgid = article.msgid
CROSS JOIN
    LATERAL (
        VALUES
        (1, growth.day_1),
        (3, growth.day_3),
        (7, growth.day_7)
    ) AS day (day_number, reads)
WHERE growth.publication_date > growth.newest_date - 90
GROUP BY growth.dataset, growth.appid, article.position, day.day_number;

COMMENT ON VIEW analytics.benchmark IS 'One row per dataset, account, position in the message and day 1, 3 or 7: how many readers are usual, over the articles of the 90 days up to the newest one';
COMMENT ON COLUMN analytics.benchmark.dataset IS 'Which endpoint the figures come from';
COMMENT ON COLUMN analytics.benchmark.appid IS 'The account';
COMMENT ON COLUMN analytics.benchmark.position IS 'Place in the message, from 1; null for articles whose msgid has another form';
COMMENT ON COLUMN analytics.benchmark.day_number IS 'Day after publication, the publication day being 1';
COMMENT ON COLUMN analytics.benchmark.article_count IS 'Articles that have a total of that day';
COMMENT ON COLUMN analytics.benchmark.lower_quartile IS 'A quarter of them had at most so many readers';
COMMENT ON COLUMN analytics.benchmark.median IS 'Half of them had at most so many readers';
COMMENT ON COLUMN analytics.benchmark.upper_quartile IS 'Three quarters of them had at most so many readers';

-- migrate:down

DROP VIEW analytics.benchmark;
DROP VIEW analytics.account_daily_detail;
DROP VIEW analytics.account_daily;
