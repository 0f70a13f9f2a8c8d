-- Record that a migration, or the declared part of the schema, was applied: one row.
INSERT INTO weixin.schema_migrations (version, sha256)
VALUES (:version, :sha256)
ON CONFLICT (version) DO UPDATE SET
    sha256 = excluded.sha256,
    applied_at = excluded.applied_at
