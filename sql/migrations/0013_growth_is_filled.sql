-- migrate:up

-- In a transaction of its own: meanwhile readers use the columns that they had.
UPDATE weixin.latest_article_total AS latest
SET
    day_1 = reached.day_1,
    day_3 = reached.day_3,
    day_7 = reached.day_7,
    day_30 = reached.day_30
FROM (
    SELECT
        appid,
        msgid,
        min(totals) FILTER (WHERE day_number = 1) AS day_1,
        min(totals) FILTER (WHERE day_number = 3) AS day_3,
        min(totals) FILTER (WHERE day_number = 7) AS day_7,
        min(totals) FILTER (WHERE day_number = 30) AS day_30
    FROM (
        SELECT
            appid,
            msgid,
            stat_date - publication_date + 1 AS day_number,
            ARRAY[
                int_page_read_user,
                int_page_read_count,
                ori_page_read_user,
                ori_page_read_count,
                share_user,
                share_count,
                add_to_fav_user,
                add_to_fav_count
            ] AS totals
        FROM weixin.fact_article_total
    ) AS fact
    GROUP BY appid, msgid
) AS reached
WHERE latest.appid = reached.appid AND latest.msgid = reached.msgid;
UPDATE weixin.latest_article_total_detail AS latest
SET
    day_1 = reached.day_1,
    day_3 = reached.day_3,
    day_7 = reached.day_7,
    day_30 = reached.day_30
FROM (
    SELECT
        appid,
        msgid,
        min(totals) FILTER (WHERE day_number = 1) AS day_1,
        min(totals) FILTER (WHERE day_number = 3) AS day_3,
        min(totals) FILTER (WHERE day_number = 7) AS day_7,
        min(totals) FILTER (WHERE day_number = 30) AS day_30
    FROM (
        SELECT
            appid,
            msgid,
            stat_date - publication_date + 1 AS day_number,
            ARRAY[
                read_user,
                share_user,
                zaikan_user,
                like_user,
                comment_count,
                collection_user,
                praise_money,
                read_subscribe_user
            ] AS totals
        FROM weixin.fact_article_total_detail
    ) AS fact
    GROUP BY appid, msgid
) AS reached
WHERE latest.appid = reached.appid AND latest.msgid = reached.msgid;

-- migrate:down

SELECT 1 AS nothing;
