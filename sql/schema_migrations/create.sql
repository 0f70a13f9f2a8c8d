-- Create the list of applied migrations. The first migration needs the list, so no migration can
-- create it.
CREATE SCHEMA IF NOT EXISTS weixin;
CREATE TABLE IF NOT EXISTS weixin.schema_migrations (
    version text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
