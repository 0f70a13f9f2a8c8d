INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article DEFAULT VALUES;
INSERT INTO weixin.article_sighting DEFAULT VALUES;
INSERT INTO weixin.fact_article_total (int_page_read_user, int_page_read_count) VALUES (5, 9);
INSERT INTO weixin.latest_article_total (
    appid,
    msgid,
    publication_date,
    stat_date,
    complete_through_date,
    int_page_read_user,
    int_page_read_count,
    day_1
) VALUES ('wx1', '1_1', '2026-11-20', '2026-11-20', '2026-11-20', 5, 9, '{5,9,null,null,null,null,null,null}');
INSERT INTO weixin.account_day_article_total (
    appid,
    calendar_date,
    row_count,
    articles_reported,
    most_days_spanned,
    int_page_read_user_increment,
    int_page_read_count_increment
) VALUES ('wx1', '2026-11-20', 1, 1, 1, 5, 9);
INSERT INTO weixin.account_day_article_total (appid, calendar_date, articles_lacking)
SELECT 'wx1', date '2026-11-20' + age, 1 FROM generate_series(1, 6) AS age;
