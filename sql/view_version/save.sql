-- The text from which a view was last created: one row per view or function.
INSERT INTO weixin.view_version (view_name, text_sha256, applied_at)
VALUES (:view_name, :text_sha256, now())
ON CONFLICT (view_name) DO UPDATE SET
    text_sha256 = excluded.text_sha256,
    applied_at = excluded.applied_at
