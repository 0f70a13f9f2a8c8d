-- The list of applied migrations, one row each, in the schema that the migrations fill.
CREATE SCHEMA IF NOT EXISTS weixin;
CREATE TABLE IF NOT EXISTS weixin.schema_migrations (version varchar PRIMARY KEY);
