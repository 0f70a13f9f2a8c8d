-- migrate:up

CREATE VIEW analytics.account_daily AS
WITH known AS (
    SELECT
        appid,
        min(publication_date) AS first_date,
        greatest(max(publication_date), max(through_date)) AS last_date
    FROM weixin.coverage
    WHERE dataset = 'article_total' AND data_state IS NOT NULL
    GROUP BY appid
),

day AS (
    SELECT
        appid,
        calendar_date,
        max(days_spanned) AS days_spanned,
        sum(int_page_read_user) AS int_page_read_user_increment,
        sum(int_page_read_count) AS int_page_read_count_increment,
        sum(share_user) AS share_user_increment,
        sum(share_count) AS share_count_increment,
        sum(add_to_fav_user) AS add_to_fav_user_increment,
        sum(add_to_fav_count) AS add_to_fav_count_increment
    FROM (
        SELECT
            appid,
            stat_date AS calendar_date,
            days_spanned,
            int_page_read_user,
            int_page_read_count,
            share_user,
            share_count,
            add_to_fav_user,
            add_to_fav_count
        FROM analytics.article_daily
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
    day.int_page_read_user_increment,
    day.int_page_read_count_increment,
    day.share_user_increment,
    day.share_count_increment,
    day.add_to_fav_user_increment,
    day.add_to_fav_count_increment,
    day.share_user_increment::numeric
    / nullif(day.int_page_read_user_increment, 0) AS share_rate,
    day.add_to_fav_user_increment::numeric
    / nullif(day.int_page_read_user_increment, 0) AS favourite_rate,
    (
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

COMMENT ON VIEW analytics.account_daily IS 'One row per account and calendar day of article_total: what all its articles gained that day. An increment that spans a gap counts on its last day';
COMMENT ON COLUMN analytics.account_daily.appid IS 'The account';
COMMENT ON COLUMN analytics.account_daily.calendar_date IS 'The day (Beijing)';
COMMENT ON COLUMN analytics.account_daily.articles_published IS 'Articles published on the day, as far as either endpoint told';
COMMENT ON COLUMN analytics.account_daily.days_spanned IS 'Most days that one of the increments covers: above 1, an article had no row the day before, and part of what counts here came then';
COMMENT ON COLUMN analytics.account_daily.int_page_read_user_increment IS 'int_page_read_user that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.int_page_read_count_increment IS 'int_page_read_count that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.share_user_increment IS 'share_user that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.share_count_increment IS 'share_count that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.add_to_fav_user_increment IS 'add_to_fav_user that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.add_to_fav_count_increment IS 'add_to_fav_count that came on the day, over all articles within their window of 7 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily.share_rate IS 'share_user_increment / int_page_read_user_increment: sums over sums; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily.favourite_rate IS 'add_to_fav_user_increment / int_page_read_user_increment: sums over sums; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily.is_complete IS 'Whether every publication day whose window holds the day reaches it: all its articles have a row so late, or an answer of a later day says that it has none. False also near the start of what was loaded';

CREATE VIEW analytics.account_daily_detail AS
WITH known AS (
    SELECT
        appid,
        min(publication_date) AS first_date,
        greatest(max(publication_date), max(through_date)) AS last_date
    FROM weixin.coverage
    WHERE dataset = 'article_total_detail' AND data_state IS NOT NULL
    GROUP BY appid
),

day AS (
    SELECT
        appid,
        calendar_date,
        max(days_spanned) AS days_spanned,
        sum(read_user) AS read_user_increment,
        sum(share_user) AS share_user_increment,
        sum(zaikan_user) AS zaikan_user_increment,
        sum(like_user) AS like_user_increment,
        sum(comment_count) AS comment_count_increment,
        sum(collection_user) AS collection_user_increment,
        sum(read_subscribe_user) AS read_subscribe_user_increment
    FROM (
        SELECT
            appid,
            stat_date AS calendar_date,
            days_spanned,
            read_user,
            share_user,
            zaikan_user,
            like_user,
            comment_count,
            collection_user,
            read_subscribe_user
        FROM analytics.article_daily_detail
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
    day.read_user_increment,
    day.share_user_increment,
    day.zaikan_user_increment,
    day.like_user_increment,
    day.comment_count_increment,
    day.collection_user_increment,
    day.read_subscribe_user_increment,
    day.share_user_increment::numeric
    / nullif(day.read_user_increment, 0) AS share_rate,
    day.collection_user_increment::numeric
    / nullif(day.read_user_increment, 0) AS favourite_rate,
    (
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

COMMENT ON VIEW analytics.account_daily_detail IS 'One row per account and calendar day of article_total_detail: what all its articles gained that day. An increment that spans a gap counts on its last day';
COMMENT ON COLUMN analytics.account_daily_detail.appid IS 'The account';
COMMENT ON COLUMN analytics.account_daily_detail.calendar_date IS 'The day (Beijing)';
COMMENT ON COLUMN analytics.account_daily_detail.articles_published IS 'Articles published on the day, as far as either endpoint told';
COMMENT ON COLUMN analytics.account_daily_detail.days_spanned IS 'Most days that one of the increments covers: above 1, an article had no row the day before, and part of what counts here came then';
COMMENT ON COLUMN analytics.account_daily_detail.read_user_increment IS 'read_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.share_user_increment IS 'share_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.zaikan_user_increment IS 'zaikan_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.like_user_increment IS 'like_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.comment_count_increment IS 'comment_count that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.collection_user_increment IS 'collection_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.read_subscribe_user_increment IS 'read_subscribe_user that came on the day, over all articles within their window of 30 days; null when no article has a row';
COMMENT ON COLUMN analytics.account_daily_detail.share_rate IS 'share_user_increment / read_user_increment: sums over sums; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily_detail.favourite_rate IS 'collection_user_increment / read_user_increment: sums over sums; null when the latter is 0';
COMMENT ON COLUMN analytics.account_daily_detail.is_complete IS 'Whether every publication day whose window holds the day reaches it: all its articles have a row so late, or an answer of a later day says that it has none. False also near the start of what was loaded';

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
