-- Return the five articles that gained the most readers on a day, as analytics.article_day has
-- them, with the readers that are usual for their account, position and age: one row per article.
-- The usual number is NULL unless it is known of five articles at least.
WITH most_read AS (
    SELECT
        day.appid,
        day.account_name,
        day.title,
        day.endpoint,
        day.position,
        day.day_number,
        day.days_spanned,
        day.readers,
        day.readers_increment
    FROM analytics.article_day AS day
    INNER JOIN weixin.dim_account AS account
        ON day.appid = account.appid AND account.is_active
    WHERE day.stat_date = :day AND day.readers_increment > 0
    ORDER BY day.readers_increment DESC, day.appid ASC, day.msgid ASC
    LIMIT 5
)

SELECT
    most_read.*,
    usual.median AS usual_readers
FROM most_read
LEFT JOIN
    LATERAL (
        {% for dataset in datasets %}
        SELECT benchmark.median
        FROM analytics.benchmark{{ dataset.suffix }} AS benchmark
        WHERE
            most_read.endpoint = '{{ dataset.suffix[1:] }}'
            AND benchmark.appid = most_read.appid
            AND benchmark.position = most_read.position
            AND benchmark.day_number = most_read.day_number
            AND benchmark.article_count >= 5
        {{ "UNION ALL" if not loop.last }}
        {% endfor %}
    ) AS usual
    ON TRUE
ORDER BY most_read.readers_increment DESC
