-- The views and functions of ours that are there, and from which text each was created. One that
-- was dropped by hand is none of them.
SELECT
    view_name,
    text_sha256
FROM weixin.view_version
WHERE
    CASE
        WHEN view_name LIKE '%(%' THEN to_regprocedure(view_name) IS NOT NULL
        ELSE to_regclass(view_name) IS NOT NULL
    END
ORDER BY view_name
