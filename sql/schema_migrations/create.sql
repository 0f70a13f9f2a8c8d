-- The list of what was applied: it is there before the first migration, which needs it.
CREATE SCHEMA IF NOT EXISTS weixin;
CREATE TABLE IF NOT EXISTS weixin.schema_migrations (
    version text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
