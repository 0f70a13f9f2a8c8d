SELECT
    day.appid,
    day.account_name,
    calendar.iso_week,
    calendar.week_start_date,
    sum(day.articles_published) AS articles_published,
    sum(day.int_page_read_user_increment) AS int_page_read_user_increment,
    sum(day.int_page_read_count_increment) AS int_page_read_count_increment,
    sum(day.share_user_increment) AS share_user_increment,
    sum(day.share_count_increment) AS share_count_increment,
    7 - count(*) FILTER (WHERE day.is_complete) AS days_incomplete,
    count(*) FILTER (WHERE day.is_complete) = 7 AS is_complete
FROM {{ source("weixin", "account_day") }} AS day
INNER JOIN {{ source("weixin", "calendar") }} AS calendar
    ON day.calendar_date = calendar.calendar_date
GROUP BY day.appid, day.account_name, calendar.iso_week, calendar.week_start_date
