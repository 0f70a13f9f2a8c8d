-- Lets a user read the warehouse, within limits, and creates the user if there is none of that name:
--   psql --variable=reader=ann --file=docker/reader.sql
-- The limits are the user's own, because Postgres does not apply a role's settings to its members.
\set ON_ERROR_STOP on
SELECT format('CREATE ROLE %I LOGIN', :'reader')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'reader') \gexec
GRANT weixin_reader TO :"reader";
ALTER ROLE :"reader" SET statement_timeout = '10min';
ALTER ROLE :"reader" SET idle_in_transaction_session_timeout = '10min';
-- Only a superuser may set or lift this limit; the user can lift the two others.
ALTER ROLE :"reader" SET temp_file_limit = '5GB';
