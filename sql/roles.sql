-- Grant the roles their rights. `weixin-etl migrate` runs this after the tables and before the
-- views. Roles belong to the server, not to the database, so another warehouse may have created
-- them already. If `migrate` may not create a role, the warehouse works without that role.
-- `migrate` reports this, and runs the grants again as long as a role has no rights.
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
            WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
                NULL;
        END;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
        EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO weixin_loader', current_database());
        GRANT USAGE ON SCHEMA weixin, analytics TO weixin_loader;
        GRANT SELECT ON analytics.calendar TO weixin_loader;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA weixin TO weixin_loader;
        REVOKE INSERT, UPDATE ON weixin.schema_migrations FROM weixin_loader;
        REVOKE UPDATE ON
            weixin.raw_response, weixin.rejected_row, weixin.dim_article_title_history,
            weixin.fact_history
        FROM weixin_loader;
        GRANT UPDATE (last_seen_at) ON weixin.raw_response TO weixin_loader;
        GRANT UPDATE (resolved_at) ON weixin.rejected_row TO weixin_loader;
        GRANT USAGE ON SEQUENCE weixin.raw_response_raw_response_id_seq TO weixin_loader;
        GRANT DELETE ON
            weixin.run_report, weixin.finding, weixin.account_day
        TO weixin_loader;
        GRANT EXECUTE ON FUNCTION weixin.analyse_grown() TO weixin_loader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA weixin
            GRANT SELECT, INSERT, UPDATE ON TABLES TO weixin_loader;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_reader') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO weixin_reader', current_database());
        GRANT USAGE ON SCHEMA analytics, weixin TO weixin_reader;
        GRANT SELECT ON
            weixin.{{ every_dataset | map(attribute="fact") | join(", weixin.") }},
            weixin.fact_history, weixin.account_day, weixin.account_day_state,
            weixin.dim_account, weixin.dim_article, weixin.dim_article_title_history,
            weixin.collected_since, weixin.coverage, weixin.run_report, weixin.finding,
            weixin.incident, weixin.api_call, weixin.schema_migrations
        TO weixin_reader;
        -- Readers get all columns except the bytes of answers and of rejected parts.
        GRANT SELECT (raw_response_id, dataset, appid, day, body_sha256, fetched_at, last_seen_at)
        ON weixin.raw_response TO weixin_reader;
        GRANT SELECT (
            rejected_row_id, dataset, appid, day, msgid, stat_date, code, field, reason,
            raw_response_id, rejected_at, resolved_at
        ) ON weixin.rejected_row TO weixin_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO weixin_reader;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO weixin_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT SELECT ON TABLES TO weixin_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT EXECUTE ON FUNCTIONS TO weixin_reader;
    END IF;
END
$$;
