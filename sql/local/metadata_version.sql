-- Which Airflow migrated its metadata here: no row, or NULL, where none did. The note is a comment
-- on the database, so that it is gone with it.
SELECT shobj_description(oid, 'pg_database') AS migrated_by
FROM pg_database
WHERE datname = current_database() AND to_regclass('alembic_version') IS NOT NULL
