-- The text by which a view was last created: one row per view. A function of other parameters, or a
-- view that became a function, takes the place of what it was.
WITH replaced AS (
    DELETE FROM weixin.view_version
    WHERE
        split_part(view_name, '(', 1) = split_part(:view_name, '(', 1)
        AND view_name <> :view_name
)

INSERT INTO weixin.view_version (view_name, text_sha256, applied_at)
VALUES (:view_name, :text_sha256, now())
ON CONFLICT (view_name) DO UPDATE SET
    text_sha256 = excluded.text_sha256,
    applied_at = excluded.applied_at
