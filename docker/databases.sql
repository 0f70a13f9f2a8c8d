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
-- the limits of every reader, as in reader.sql
ALTER ROLE weixin_page SET statement_timeout = '10min';
ALTER ROLE weixin_page SET idle_in_transaction_session_timeout = '10min';
ALTER ROLE weixin_page SET temp_file_limit = '5GB';

CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE weixin OWNER weixin;

-- by default every user may connect to every database
REVOKE ALL ON DATABASE postgres, template1, airflow, weixin FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE weixin TO weixin_loader;
GRANT CONNECT ON DATABASE weixin TO weixin_reader;
