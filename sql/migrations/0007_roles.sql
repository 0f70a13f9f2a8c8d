-- migrate:up

-- What the roles of 0005_roles.sql may do with the tables of 0006_evidence.sql.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
        GRANT SELECT, INSERT, UPDATE ON
            weixin.account_list, weixin.unwanted_range, weixin.writer_lock
        TO weixin_loader;
        GRANT DELETE ON weixin.account_list TO weixin_loader;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_reader') THEN
        GRANT SELECT ON weixin.account_list, weixin.unwanted_range TO weixin_reader;
        GRANT SELECT (metric) ON weixin.rejected_row TO weixin_reader;
    END IF;
END
$$;

-- By default everybody may make large objects, as many as the disk holds. That only a superuser can
-- change, and most of what limits a role's sessions; whoever else migrates is told.
DO $$
DECLARE
    what text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper) THEN
        REVOKE EXECUTE ON FUNCTION
            lo_creat(integer),
            lo_create(oid),
            lo_from_bytea(oid, bytea),
            lo_put(oid, bigint, bytea),
            lowrite(integer, bytea)
        FROM PUBLIC;
    ELSIF has_function_privilege('lo_create(oid)', 'EXECUTE') THEN
        RAISE NOTICE 'everybody may still make large objects here: % may not change that; the manual has what an administrator runs', current_user;
    END IF;

    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_reader') THEN
        RETURN;
    END IF;
    FOREACH what IN ARRAY ARRAY[
        'statement_timeout = ''10min''',
        'idle_in_transaction_session_timeout = ''10min''',
        'temp_file_limit = ''5GB'''
    ] LOOP
        BEGIN
            EXECUTE format('ALTER ROLE weixin_reader IN DATABASE %I SET %s', current_database(), what);
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'weixin_reader is not limited to %: % may not do that', what, current_user;
        END;
    END LOOP;
END
$$;

-- migrate:down

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper) THEN
        GRANT EXECUTE ON FUNCTION
            lo_creat(integer),
            lo_create(oid),
            lo_from_bytea(oid, bytea),
            lo_put(oid, bigint, bytea),
            lowrite(integer, bytea)
        TO PUBLIC;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_reader') THEN
        BEGIN
            EXECUTE format('ALTER ROLE weixin_reader IN DATABASE %I RESET ALL', current_database());
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE '% may not undo the limits of weixin_reader', current_user;
        END;
    END IF;
END
$$;
