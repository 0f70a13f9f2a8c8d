-- migrate:up

-- Autovacuum looks once a minute, and only the owner of a table may analyse it: the first backfill
-- would meet tables without statistics, in which a planner expects one article of an account and
-- reads all of its articles for each. So each load asks for this. The factor keeps it rare.
CREATE FUNCTION weixin.analyse_grown() RETURNS void
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
REVOKE EXECUTE ON FUNCTION weixin.analyse_grown() FROM public;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
        GRANT EXECUTE ON FUNCTION weixin.analyse_grown() TO weixin_loader;
    END IF;
END
$$;
COMMENT ON FUNCTION weixin.analyse_grown() IS 'Analyse the tables that have grown to four times what they were when somebody last did';

-- What views ask first of an account is the first and the last day of a dataset, and how a day of
-- it ended: with the dataset before the day both are read where they begin.
ALTER TABLE weixin.coverage
DROP CONSTRAINT coverage_pkey,
ADD PRIMARY KEY (appid, dataset, publication_date);

-- migrate:down

ALTER TABLE weixin.coverage
DROP CONSTRAINT coverage_pkey,
ADD PRIMARY KEY (appid, publication_date, dataset);
DROP FUNCTION weixin.analyse_grown();
