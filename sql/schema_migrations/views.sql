-- The views and functions that this project made, one row each: whose comment says from which file.
WITH found AS (
    SELECT
        'VIEW' AS type,
        relnamespace AS namespace_id,
        relname AS name,
        obj_description(oid, 'pg_class') AS comment
    FROM pg_class
    WHERE relkind = 'v'
    UNION ALL
    SELECT
        'FUNCTION',
        pronamespace,
        proname,
        obj_description(oid, 'pg_proc')
    FROM pg_proc
)

SELECT
    found.type,
    format('%I.%I', pg_namespace.nspname, found.name) AS name
FROM found
INNER JOIN pg_namespace
    ON found.namespace_id = pg_namespace.oid
WHERE
    pg_namespace.nspname = 'analytics'
    AND found.comment LIKE '%' || chr(10) || 'file: sql/%'
