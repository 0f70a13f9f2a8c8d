-- migrate:up

-- Roles belong to the server, not to the database: another warehouse may have created them already,
-- and they remain when this migration is rolled back. If they cannot be created, a warning says so,
-- and the warehouse works without them.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['weixin_loader', 'weixin_reader'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE WARNING 'role % was not created: % may not create roles; let an administrator create it, then run the blocks of 0005_roles.sql and 0007_roles.sql again', role_name, current_user;
        END;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
        EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO weixin_loader', current_database());
        GRANT USAGE ON SCHEMA weixin TO weixin_loader;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA weixin TO weixin_loader;
        REVOKE INSERT, UPDATE ON weixin.schema_migrations, weixin.view_version FROM weixin_loader;
        REVOKE UPDATE ON
            weixin.raw_response,
            weixin.rejected_row,
            weixin.dim_article_title_history,
            weixin.fact_article_total_history,
            weixin.fact_article_total_detail_history
        FROM weixin_loader;
        GRANT UPDATE (last_seen_at) ON weixin.raw_response TO weixin_loader;
        GRANT UPDATE (resolved_at) ON weixin.rejected_row TO weixin_loader;
        GRANT USAGE ON SEQUENCE weixin.raw_response_raw_response_id_seq TO weixin_loader;
        GRANT DELETE ON weixin.run_report TO weixin_loader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA weixin
            GRANT SELECT, INSERT, UPDATE ON TABLES TO weixin_loader;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_reader') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO weixin_reader', current_database());
        GRANT USAGE ON SCHEMA analytics, weixin TO weixin_reader;
        GRANT SELECT ON
            weixin.schema_migrations,
            weixin.dim_account,
            weixin.dim_article,
            weixin.dim_article_title_history,
            weixin.fact_article_total,
            weixin.fact_article_total_history,
            weixin.fact_article_total_detail,
            weixin.fact_article_total_detail_history,
            weixin.first_daily_run,
            weixin.coverage,
            weixin.run_report,
            weixin.article_sighting,
            weixin.incident,
            weixin.api_call
        TO weixin_reader;
        GRANT SELECT (
            raw_response_id,
            dataset,
            appid,
            publication_date,
            body_sha256,
            fetched_at,
            last_seen_at,
            loaded_at
        ) ON weixin.raw_response TO weixin_reader;
        GRANT SELECT (
            rejected_row_id,
            dataset,
            appid,
            publication_date,
            msgid,
            stat_date,
            reason,
            raw_response_id,
            rejected_at,
            resolved_at
        ) ON weixin.rejected_row TO weixin_reader;
        -- there are no views yet, unless the role was created later and this block is run again
        IF to_regclass('weixin.restatement') IS NOT NULL THEN
            GRANT SELECT ON weixin.restatement TO weixin_reader;
        END IF;
        GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO weixin_reader;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO weixin_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT SELECT ON TABLES TO weixin_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT EXECUTE ON FUNCTIONS TO weixin_reader;
    END IF;
END
$$;

-- migrate:down

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
        ALTER DEFAULT PRIVILEGES IN SCHEMA weixin
            REVOKE SELECT, INSERT, UPDATE ON TABLES FROM weixin_loader;
        REVOKE ALL ON ALL TABLES IN SCHEMA weixin FROM weixin_loader;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA weixin FROM weixin_loader;
        REVOKE ALL ON SCHEMA weixin FROM weixin_loader;
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM weixin_loader', current_database());
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_reader') THEN
        ALTER DEFAULT PRIVILEGES IN SCHEMA analytics REVOKE SELECT ON TABLES FROM weixin_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA analytics
            REVOKE EXECUTE ON FUNCTIONS FROM weixin_reader;
        REVOKE ALL ON ALL FUNCTIONS IN SCHEMA analytics FROM weixin_reader;
        REVOKE ALL ON ALL TABLES IN SCHEMA analytics, weixin FROM weixin_reader;
        REVOKE ALL ON SCHEMA analytics, weixin FROM weixin_reader;
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM weixin_reader', current_database());
    END IF;
END
$$;
