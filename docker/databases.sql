-- The databases and users of the server. Postgres runs this file once, on an empty volume.
-- What the roles may do inside the warehouse is set by sql/roles.sql.
\getenv airflow_password AIRFLOW_DATABASE_PASSWORD
\getenv owner_password WEIXIN_OWNER_PASSWORD
\getenv loader_password WEIXIN_LOADER_PASSWORD
\getenv page_password WEIXIN_PAGE_PASSWORD

CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE ROLE weixin LOGIN PASSWORD :'owner_password';
CREATE ROLE weixin_loader LOGIN PASSWORD :'loader_password';
CREATE ROLE weixin_reader NOLOGIN;
CREATE ROLE weixin_page LOGIN PASSWORD :'page_password' IN ROLE weixin_reader;

CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE weixin OWNER weixin;

-- by default every user may connect to every database
REVOKE ALL ON DATABASE postgres, template1, airflow, weixin FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE weixin TO weixin_loader;
GRANT CONNECT ON DATABASE weixin TO weixin_reader;

\connect weixin
-- by default everybody may also make large objects and write messages into the log of changes, as
-- many as the disk holds, and take advisory locks, so many that the server has no room for others
DO $$
DECLARE
    functions text;
BEGIN
    SELECT string_agg(oid::regprocedure::text, ', ') INTO functions
    FROM pg_proc
    WHERE
        pronamespace = 'pg_catalog'::regnamespace
        AND proname ~ '^(lo_(creat|create|from_bytea|put)|lowrite|pg_logical_emit_message|pg_(try_)?advisory_(xact_)?lock(_shared)?)$';
    EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || functions || ' FROM PUBLIC';
    EXECUTE 'GRANT EXECUTE ON FUNCTION ' || functions || ' TO weixin';
END
$$;
