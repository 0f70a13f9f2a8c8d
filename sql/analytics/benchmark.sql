-- One row per dataset, account, position in the message and day 1, 3 or 7: how many readers are
-- usual, over the articles of the 90 days up to the newest one
CREATE VIEW analytics.benchmark (
    -- Which endpoint the figures come from
    dataset,
    -- The account
    appid,
    -- Place in the message, from 1; NULL for articles whose msgid has another form
    position,
    -- Day after publication, the publication day being 1
    day_number,
    -- Articles that have a total of that day
    article_count,
    -- A quarter of them had at most so many readers
    lower_quartile,
    -- Half of them had at most so many readers
    median,
    -- Three quarters of them had at most so many readers
    upper_quartile
) AS
SELECT
    growth.dataset,
    growth.appid,
    article.position,
    day.day_number,
    count(day.readers) AS article_count,
    percentile_cont(0.25) WITHIN GROUP (ORDER BY day.readers) AS lower_quartile,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY day.readers) AS median,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY day.readers) AS upper_quartile
FROM (
    SELECT
        *,
        max(publication_date) OVER (PARTITION BY dataset, appid) AS newest_date
    FROM analytics.article_growth
    WHERE
        (dataset, metric) IN (
            {% for dataset in datasets %}
            ('{{ dataset.name }}', '{{ dataset.readers }}'){{ "," if not loop.last }}
            {% endfor %}
        )
) AS growth
INNER JOIN weixin.dim_article AS article
    ON growth.appid = article.appid AND growth.msgid = article.msgid
CROSS JOIN
    LATERAL (
        VALUES
        (1, growth.day_1),
        (3, growth.day_3),
        (7, growth.day_7)
    ) AS day (day_number, readers)
WHERE growth.publication_date > growth.newest_date - 90
GROUP BY growth.dataset, growth.appid, article.position, day.day_number
