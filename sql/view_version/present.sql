-- The views and functions of ours that are there: from which text each was created, and its number.
-- One that was dropped by hand is none of them.
WITH known AS (
    SELECT
        view_name,
        text_sha256,
        CASE
            WHEN view_name LIKE '%(%' THEN cast(to_regprocedure(view_name) AS oid)
            ELSE cast(to_regclass(view_name) AS oid)
        END AS oid
    FROM weixin.view_version
)

SELECT * FROM known
WHERE oid IS NOT NULL
ORDER BY view_name
