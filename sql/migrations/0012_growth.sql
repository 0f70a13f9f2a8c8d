-- migrate:up

-- Only the columns that joins go by, and a tenth of the usual sample: that takes a load a tenth of
-- the time, and autovacuum still does the whole of it.
CREATE OR REPLACE FUNCTION weixin.analyse_grown() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET default_statistics_target = 10 AS $$
DECLARE
    grown text;
BEGIN
    SELECT string_agg(
        format(
            '%s (%s)', oid::regclass, (
                SELECT string_agg(quote_ident(attname), ', ')
                FROM pg_attribute
                WHERE
                    attrelid = pg_class.oid
                    AND attnum IN (
                        SELECT unnest(indkey) FROM pg_index WHERE indrelid = pg_class.oid
                    )
            )
        ), ', '
    ) INTO grown
    FROM pg_class
    WHERE
        relnamespace = 'weixin'::regnamespace
        AND relkind = 'r'
        AND relhasindex
        AND pg_relation_size(oid) > 4 * relpages::bigint * current_setting('block_size')::bigint;
    IF grown IS NOT NULL THEN
        EXECUTE 'ANALYZE (SKIP_LOCKED) ' || grown;
    END IF;
END
$$;
COMMENT ON FUNCTION weixin.analyse_grown() IS 'Analyse the columns in indexes of the tables that have grown to four times what they were when somebody last did';

-- What an article had reached by the end of its day 1, 3, 7 and 30: article_growth would read the
-- whole fact for each of them.
ALTER TABLE weixin.latest_article_total
ADD COLUMN day_1 bigint[],
ADD COLUMN day_3 bigint[],
ADD COLUMN day_7 bigint[],
ADD COLUMN day_30 bigint[];
COMMENT ON COLUMN weixin.latest_article_total.day_1 IS 'Totals by the row of the article''s day 1 (the publication day being 1), in this order: int_page_read_user, int_page_read_count, ori_page_read_user, ori_page_read_count, share_user, share_count, add_to_fav_user, add_to_fav_count; null without such a row';
COMMENT ON COLUMN weixin.latest_article_total.day_3 IS 'Totals by the row of the article''s day 3 (the publication day being 1), in this order: int_page_read_user, int_page_read_count, ori_page_read_user, ori_page_read_count, share_user, share_count, add_to_fav_user, add_to_fav_count; null without such a row';
COMMENT ON COLUMN weixin.latest_article_total.day_7 IS 'Totals by the row of the article''s day 7 (the publication day being 1), in this order: int_page_read_user, int_page_read_count, ori_page_read_user, ori_page_read_count, share_user, share_count, add_to_fav_user, add_to_fav_count; null without such a row';
COMMENT ON COLUMN weixin.latest_article_total.day_30 IS 'Totals by the row of the article''s day 30 (the publication day being 1), in this order: int_page_read_user, int_page_read_count, ori_page_read_user, ori_page_read_count, share_user, share_count, add_to_fav_user, add_to_fav_count; null without such a row';
CREATE INDEX latest_article_total_publication_date
ON weixin.latest_article_total (publication_date);
ALTER TABLE weixin.latest_article_total_detail
ADD COLUMN day_1 bigint[],
ADD COLUMN day_3 bigint[],
ADD COLUMN day_7 bigint[],
ADD COLUMN day_30 bigint[];
COMMENT ON COLUMN weixin.latest_article_total_detail.day_1 IS 'Totals by the row of the article''s day 1 (the publication day being 1), in this order: read_user, share_user, zaikan_user, like_user, comment_count, collection_user, praise_money, read_subscribe_user; null without such a row';
COMMENT ON COLUMN weixin.latest_article_total_detail.day_3 IS 'Totals by the row of the article''s day 3 (the publication day being 1), in this order: read_user, share_user, zaikan_user, like_user, comment_count, collection_user, praise_money, read_subscribe_user; null without such a row';
COMMENT ON COLUMN weixin.latest_article_total_detail.day_7 IS 'Totals by the row of the article''s day 7 (the publication day being 1), in this order: read_user, share_user, zaikan_user, like_user, comment_count, collection_user, praise_money, read_subscribe_user; null without such a row';
COMMENT ON COLUMN weixin.latest_article_total_detail.day_30 IS 'Totals by the row of the article''s day 30 (the publication day being 1), in this order: read_user, share_user, zaikan_user, like_user, comment_count, collection_user, praise_money, read_subscribe_user; null without such a row';
CREATE INDEX latest_article_total_detail_publication_date
ON weixin.latest_article_total_detail (publication_date);
-- Views look up an article's previous row for each of its rows. A planner expects to look some of
-- them up twice, and remembers them all in vain: yesterday's top 50 takes a third longer.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET enable_memoize = off', current_database());
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'enable_memoize stays as it is: % may not change that', current_user;
END
$$;

-- migrate:down

DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I RESET enable_memoize', current_database());
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'enable_memoize stays as it is: % may not change that', current_user;
END
$$;
DROP INDEX weixin.latest_article_total_publication_date;
ALTER TABLE weixin.latest_article_total
DROP COLUMN day_1,
DROP COLUMN day_3,
DROP COLUMN day_7,
DROP COLUMN day_30;
DROP INDEX weixin.latest_article_total_detail_publication_date;
ALTER TABLE weixin.latest_article_total_detail
DROP COLUMN day_1,
DROP COLUMN day_3,
DROP COLUMN day_7,
DROP COLUMN day_30;
CREATE OR REPLACE FUNCTION weixin.analyse_grown() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    grown text;
BEGIN
    SELECT string_agg(oid::regclass::text, ', ') INTO grown
    FROM pg_class
    WHERE
        relnamespace = 'weixin'::regnamespace
        AND relkind = 'r'
        AND pg_relation_size(oid) > 4 * relpages::bigint * current_setting('block_size')::bigint;
    IF grown IS NOT NULL THEN
        EXECUTE 'ANALYZE (SKIP_LOCKED) ' || grown;
    END IF;
END
$$;
COMMENT ON FUNCTION weixin.analyse_grown() IS 'Analyse the tables that have grown to four times what they were when somebody last did';
