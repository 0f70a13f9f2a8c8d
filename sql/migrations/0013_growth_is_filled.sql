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
        fact.appid,
        fact.msgid,
        min(
            ARRAY[
                fact.int_page_read_user,
                fact.int_page_read_count,
                fact.ori_page_read_user,
                fact.ori_page_read_count,
                fact.share_user,
                fact.share_count,
                fact.add_to_fav_user,
                fact.add_to_fav_count
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 0) AS day_1,
        min(
            ARRAY[
                fact.int_page_read_user,
                fact.int_page_read_count,
                fact.ori_page_read_user,
                fact.ori_page_read_count,
                fact.share_user,
                fact.share_count,
                fact.add_to_fav_user,
                fact.add_to_fav_count
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 2) AS day_3,
        min(
            ARRAY[
                fact.int_page_read_user,
                fact.int_page_read_count,
                fact.ori_page_read_user,
                fact.ori_page_read_count,
                fact.share_user,
                fact.share_count,
                fact.add_to_fav_user,
                fact.add_to_fav_count
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 6) AS day_7,
        min(
            ARRAY[
                fact.int_page_read_user,
                fact.int_page_read_count,
                fact.ori_page_read_user,
                fact.ori_page_read_count,
                fact.share_user,
                fact.share_count,
                fact.add_to_fav_user,
                fact.add_to_fav_count
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 29) AS day_30
    FROM weixin.fact_article_total AS fact
    GROUP BY fact.appid, fact.msgid
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
        fact.appid,
        fact.msgid,
        min(
            ARRAY[
                fact.read_user,
                fact.share_user,
                fact.zaikan_user,
                fact.like_user,
                fact.comment_count,
                fact.collection_user,
                fact.praise_money,
                fact.read_subscribe_user
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 0) AS day_1,
        min(
            ARRAY[
                fact.read_user,
                fact.share_user,
                fact.zaikan_user,
                fact.like_user,
                fact.comment_count,
                fact.collection_user,
                fact.praise_money,
                fact.read_subscribe_user
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 2) AS day_3,
        min(
            ARRAY[
                fact.read_user,
                fact.share_user,
                fact.zaikan_user,
                fact.like_user,
                fact.comment_count,
                fact.collection_user,
                fact.praise_money,
                fact.read_subscribe_user
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 6) AS day_7,
        min(
            ARRAY[
                fact.read_user,
                fact.share_user,
                fact.zaikan_user,
                fact.like_user,
                fact.comment_count,
                fact.collection_user,
                fact.praise_money,
                fact.read_subscribe_user
            ]
        ) FILTER (WHERE fact.stat_date = fact.publication_date + 29) AS day_30
    FROM weixin.fact_article_total_detail AS fact
    GROUP BY fact.appid, fact.msgid
) AS reached
WHERE latest.appid = reached.appid AND latest.msgid = reached.msgid;

-- migrate:down

SELECT 1 AS nothing;
